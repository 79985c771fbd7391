module;
#include <algorithm>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <format>
#include <limits>
#include <memory_resource>
#include <optional>
#include <string>
#include <utility>

#include "bracketing.hpp"
#include "override_check.hpp"
#include "sample_mean.hpp"
#include "search_spending.hpp"

module autotunenet;

import :tied_rates;

namespace autotunenet {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
// A start that nothing was better than has to improve on its own first metric: so many of the next ones have to be
// better before so many are not.
constexpr int proof = 2, doubt = 3;
// Values that turn out worse, of which a run can afford as many at any rate, if it is not too short for them; and one
// more above a value that helped, for a start far too low is worth nothing anyway.
constexpr double usual_trials = 2.0, one_more = 1.0;

/// As many values may turn out worse within `most_budget`.
double affordable_trials(bracket_options const& options, std::size_t rung) noexcept {
  constexpr double rounding = 1e-9;
  double const most = options.most_budget * static_cast<double>(options.horizon) / static_cast<double>(rung);
  return std::floor(most + rounding);
}

struct bracketed {
  enum class phase : std::uint8_t { first, down, leap, climb, landing, proving, through };

  bracket_options options;
  std::size_t planned_rung;  // by the horizon here
  phase now;
  std::size_t rung = planned_rung;  // observations of one value
  tied_rates rates{};
  bracketing found{options.ratio};
  search_spending spent{};
  double untold = 0.0;    // observations of the search that the inner tuner has not heard of
  std::size_t taken = 0;  // of the running value
  sample_mean late{};     // its metrics in the second half
  bool failed = false;
  override_check check{};
  bool given_up = false;  // what would be tried could not be undone, or would not run
  bool landed_again = false;
  int better = 0;  // than the start's own first metric, after the search
  int no_better = 0;

  bool ready = false;          // from tell to ask: the suggestion is made, and is not the inner tuner's
  bool shares_origin = false;  // with a stage inside, which drops it where this one does not search
  training_state extra_state = training_state::keep;
  event extra_events = event::none;
  suggestion out{};

  suggestion const& ask(suggestions& inner) {
    suggestion const& wanted = inner.ask();
    ++out.number;
    if (out.values.empty()) begin(wanted);
    bool const follows = !std::exchange(ready, false) && (now == phase::proving || now == phase::through);
    if (follows) {
      out.values = wanted.values;
      out.events = wanted.events | std::exchange(extra_events, event::none);
      out.why = wanted.why;
      // The origin of a stage inside is this one's too.
      out.state = now == phase::proving ? without(wanted.state, training_state::drop_origin) : wanted.state;
      out.state |= std::exchange(extra_state, training_state::keep);
    }
    return out;
  }

  void begin(suggestion const& wanted) {
    out.values = wanted.values;
    out.why = wanted.why;
    out.events = wanted.events;
    out.state = wanted.state;
    shares_origin = has(wanted.state, training_state::mark_origin);
    rates = tied_rates(wanted.values.space(), options.parameter, "bracket");
    if (rates.none()) {
      now = phase::through;
      extra_events = event::not_located | event::no_learning_rate;
      return;
    }
    if (now == phase::through) return;
    rates.tie(wanted.values);
    found.set_lowest(std::log(rates.value(wanted.values)));
    out.state |= training_state::mark_origin;
  }

  void tell(observation const& seen, suggestions& inner) {
    switch (now) {
      case phase::first:
        return spent.gone() > 0.0 || can_search(seen) ? follow(seen, inner) : leave(seen, inner);
      case phase::leap:
      case phase::climb:
      case phase::down:
        return mistaken(seen) ? abandon(seen, inner) : follow(seen, inner);
      case phase::landing:
        return mistaken(seen) && !found.worked() ? abandon(seen, inner) : land(seen, inner);
      case phase::proving:
        return prove(seen, inner);
      case phase::through:
        return pass(seen, inner);
    }
  }

  bool coarse(observation const& seen) const noexcept { return seen.covers == coverage::epoch || options.always; }
  bool can_search(observation const& seen) const noexcept { return seen.restorable && coarse(seen); }

  // Asked once, of the first observation, as long as anything can be done about it.
  event far_for_epochs(observation const& seen) const noexcept {
    constexpr std::size_t many_epochs = 1000;
    bool const epochs = seen.covers == coverage::epoch;
    return epochs && options.horizon >= many_epochs ? event::far_horizon : event::none;
  }

  void leave(observation const& seen, suggestions& inner) {
    now = phase::through;
    if (coarse(seen)) extra_events = event::not_located | event::not_restorable | far_for_epochs(seen);
    if (!shares_origin) extra_state = training_state::drop_origin;
    pass(seen, inner);
  }

  // What seemed to be an epoch was none, as an evaluation before the first step, or failures before anything told what
  // they are of.
  bool mistaken(observation const& seen) const noexcept { return seen.usable() && !coarse(seen); }
  // A stage inside that shares the origin begins with a return to it.
  void abandon(observation const& seen, suggestions& inner) {
    now = phase::through;
    extra_state = training_state::drop_trial;
    if (!shares_origin) extra_state |= training_state::return_to_origin | training_state::drop_origin;
    observation passed = seen;
    passed.steps += std::exchange(untold, 0.0);
    pass(passed, inner);
  }

  void follow(observation const& seen, suggestions& inner) {
    training_state const asked = std::exchange(out.state, training_state::keep);
    out.events = spent.gone() > 0.0 ? event::none : far_for_epochs(seen);
    spent.advance(seen.steps);
    untold += seen.steps;
    if (has(asked, training_state::mark_trial) && !seen.restorable) return go_without(asked, seen, inner);
    if (overridden(seen) && now != phase::first) return leave_alone(inner);
    failed = failed || seen.bad();
    if (seen.usable() && 2 * ++taken > rung) late.add(seen.metric);
    if (failed || taken >= rung) conclude(failed ? infinity : late.mean(), inner);
  }

  // The copy that would undo this value was not made. What began at the origin begins there once more, as does what has
  // failed.
  void go_without(training_state asked, observation const& seen, suggestions& inner) {
    given_up = true;
    out.events |= event::not_restorable;
    if (!found.moved() && found.worked()) out.events |= event::not_located;
    if (has(asked, training_state::return_to_origin) || seen.bad()) return_to_origin();
    finish_at(found.worked() ? found.best().where : fallen(), inner);
  }

  // Of a value that does not run at all nothing can be learned, however few its observations are.
  bool overridden(observation const& seen) {
    std::size_t const excused = std::min(rung - 1, override_check::by_chance);
    return check.overridden(rates.value(out.values), rates.ran(out, seen), excused);
  }

  // Something else sets the value too: the run goes on where it was, from the beginning where that had failed.
  void leave_alone(suggestions& inner) {
    given_up = true;
    found.worked() ? take_back() : return_to_origin();
    finish_at(found.best().where, inner);
  }

  void conclude(double metric, suggestions& inner) {
    measured_point const here{std::log(rates.value(out.values)), metric};
    switch (now) {
      case phase::first:
        out.events |= event::range_test_began;
        found.start(here);
        if (!can_fall() && !can_rise()) return finish(inner);
        mark();
        // With one trial to spend, a start that trains may be too low rather than too high.
        return can_fall() && (trials() > 1.0 || failed || !can_rise()) ? fall() : leap();
      case phase::down:
        return conclude_fall(here, inner);
      case phase::leap:
        return conclude_leap(here, inner);
      default:
        return conclude_climb(here, inner);
    }
  }

  void conclude_fall(measured_point here, suggestions& inner) {
    // What is broken may be so in the last bit alike, as the accuracy of a network that only guesses.
    bool const no_worse = here.level <= found.best().level;
    bool const better_now = found.compare_below(here);
    if (!better_now) {
      spent.return_to_mark();
    } else if (can_fall()) {
      mark();
    }
    if (no_worse && can_fall()) return fall();
    if (!found.fell() && !found.knows_above() && can_rise()) return leap();
    if (!better_now) take_back();
    finish(inner);
  }

  void conclude_leap(measured_point here, suggestions& inner) {
    auto const lowest_point = found.valley(here);
    if (found.compare_above(here)) {
      return lowest_point && *lowest_point < here.where ? finish_at(*lowest_point, inner) : climb_or_finish(inner);
    }
    take_back();
    finish(inner);
  }

  void conclude_climb(measured_point here, suggestions& inner) {
    double const halfway = 0.5 * (found.best().where + here.where);
    switch (found.compare_climb(here)) {
      case bracketing::climb::much:
        return climb_or_finish(inner);
      case bracketing::climb::some:
        return finish_at(halfway, inner);
      case bracketing::climb::none:
        take_back();
        return finish(inner);
    }
  }

  void climb_or_finish(suggestions& inner) {
    if (!can_rise()) return finish(inner);
    mark();
    run(phase::climb, risen());
  }

  void mark() {
    spent.mark();
    out.state |= training_state::mark_trial;
  }
  void take_back() {
    spent.return_to_mark();
    out.state |= training_state::return_to_trial;
  }
  void return_to_origin() {
    spent.return_to_origin();
    out.state |= training_state::return_to_origin;
  }

  double least() const noexcept { return std::log(rates.at(0.0)); }
  double most() const noexcept { return std::log(rates.at(1.0)); }
  double risen() const noexcept { return found.risen(most()); }
  double fallen() const noexcept { return found.fallen(least()); }
  bool can_rise() const noexcept {
    double const fewest = trials() + (found.rose() ? one_more : 0.0);
    return !given_up && found.worked() && bracketing::worthwhile(risen() - found.best().where) &&
           affordable(options.budget, fewest);
  }
  bool can_fall() const noexcept {
    return !given_up && bracketing::worthwhile(found.lowest() - fallen()) &&
           affordable(options.rescue_budget, trials());
  }
  bool affordable(double budget, double fewest) const noexcept {
    double const each = static_cast<double>(rung);
    double const lost = spent.undone() + each;
    return options.horizon == 0 || lost <= std::max(budget * static_cast<double>(options.horizon), fewest * each);
  }
  double trials() const noexcept {
    if (options.horizon == 0) return usual_trials;
    return std::min(usual_trials, affordable_trials(options, rung));
  }

  void run(phase next, double where) {
    now = next;
    taken = 0;
    late = {};
    failed = false;
    out.why = reason::range_test;
    rates.set(out.values, std::exp(where));
  }

  void fall() { run_from_origin(phase::down, fallen()); }
  void leap() { run_from_origin(phase::leap, risen()); }
  void run_from_origin(phase next, double where) {
    return_to_origin();
    run(next, where);
  }

  void finish(suggestions& inner) {
    if (found.worked()) return finish_at(found.valley().value_or(found.best().where), inner);
    return_to_origin();  // everything failed
    finish_at(fallen(), inner);
  }
  void finish_at(double where, suggestions& inner) {
    bool const moved = where != found.start().where;
    now = moved ? phase::landing : after_landing();
    if (!moved && !skip(inner)) return;
    better = no_better = 0;
    out.values = inner.ask().values;
    if (moved) rates.set(out.values, std::exp(where));
    out.why = reason::start;
    out.events |= event::range_test_ended;
    out.state |= training_state::drop_trial;
    if (now == phase::through) out.state |= training_state::drop_origin;
  }
  phase after_landing() const noexcept { return found.moved() || !can_fall() ? phase::through : phase::proving; }

  // The start is kept: the inner tuner goes on from where it would be by now. False if it ends instead.
  bool skip(suggestions& inner) {
    inner.tell({.result = outcome::skipped, .steps = std::exchange(untold, 0.0)});
    return ready = inner.poll() != nullptr;
  }

  // The first stretch that counts: the inner tuner learns where it begins, and how much of the run is gone.
  void land(observation const& seen, suggestions& inner) {
    if (broke(seen) && !landed_again && inner.poll() != nullptr) return land_again(seen, inner);
    if (seen.bad() && !found.worked()) return wait(seen);
    observation passed = seen;
    if (passed.applied.empty()) passed.applied = out.values.values();
    passed.steps += std::exchange(untold, 0.0);
    passed.relocated = true;
    now = after_landing();
    if (now == phase::through) extra_state = training_state::drop_origin;
    pass(passed, inner);
  }

  // Nothing has been measured yet, and whatever is wrong is for a guard to deal with.
  void wait(observation const& seen) noexcept {
    untold += seen.steps;
    out.events = event::none;
    out.state = training_state::keep;
  }

  // What helped for a while has broken the network after all: nothing is left of what it gained.
  bool broke(observation const& seen) const noexcept {
    return found.worked() && (seen.bad() || (seen.usable() && seen.metric > found.start().level));
  }
  void land_again(observation const& seen, suggestions& inner) {
    landed_again = true;
    spent.advance(seen.steps);
    untold += seen.steps;
    spent.return_to_origin();
    double const lower = found.shortly_below(std::log(rates.value(out.values)), least());
    found.set_lowest(lower);
    rates.set(out.values, std::exp(lower));
    out.why = reason::back_off;
    out.events = event::backed_off;
    out.state = training_state::return_to_origin | saved_before_trial(inner.ask());
  }

  // Nothing was better than the start, which may be because all of it was broken.
  void prove(observation const& seen, suggestions& inner) {
    spent.advance(seen.steps);
    pass(seen, inner);
    if (seen.usable()) ++(seen.metric < found.start().level ? better : no_better);
    if (seen.bad()) no_better = doubt;
    if (better == proof || !can_fall()) {
      now = phase::through;
      extra_state = training_state::drop_origin;
    } else if (no_better >= doubt && inner.poll() != nullptr) {
      out.events = event::backed_off;
      out.state = saved_before_trial(inner.ask());
      mark();
      fall();
    }
  }

  void pass(observation passed, suggestions& inner) {
    passed.number = 0;
    inner.tell(passed);
  }

  void fields(archive& a) {
    a.section("bracket");
    a.between(now, phase::first, phase::through);
    if (rates.none() && now != phase::through) archive::refuse("searches a parameter that is not here");
    a(rates)(found)(spent)(untold)(taken)(late)(failed);
    a(check)(given_up)(landed_again)(ready)(shares_origin)(extra_state)(extra_events)(out);
    a.between(rung, std::size_t{1}, std::numeric_limits<std::size_t>::max() / 2);
    if (a.reading() && now == phase::first && spent.gone() == 0.0) rung = planned_rung;
    a.between(better, 0, proof).between(no_better, 0, doubt);
  }
};

}  // namespace

bracket::bracket(bracket_options options, std::pmr::memory_resource* memory)
    : options_(std::move(options)), memory_(memory) {
  auto const check_part = [](char const* key, double part) {
    if (!(part >= 0.0 && part <= 1.0))
      throw invalid_option(std::format("bracket: {} = {} must lie between 0 and 1", key, part));
  };
  check_part("rung", options_.rung);
  check_part("budget", options_.budget);
  check_part("rescue_budget", options_.rescue_budget);
  check_part("most_budget", options_.most_budget);
  if (!(options_.ratio > 2.0 && std::isfinite(options_.ratio))) {
    throw invalid_option(std::format("bracket: ratio = {} must be above {} and finite", options_.ratio, 2));
  }
}

suggestions bracket::operator()(suggestions inner) const {
  auto const whole = static_cast<double>(options_.horizon);
  auto const rung = std::max<std::size_t>(1, static_cast<std::size_t>(options_.rung * whole));
  // Too short a run keeps the stage, to be gone on with as a longer one.
  bool const none = options_.horizon > 0 && affordable_trials(options_, rung) < 1.0;
  auto const first = none ? bracketed::phase::through : bracketed::phase::first;
  return drive(bracketed{options_, rung, first}, std::move(inner), memory_);
}

}  // namespace autotunenet
