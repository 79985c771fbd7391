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

#include "override_check.hpp"

module autotunenet;

import :tied_rates;

namespace autotunenet {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
// A step that is smaller than this, as a logarithm, would change little.
constexpr double clearly = 0.7;
// Powers of the ratio: of the first step up and of those down, and of the first step down, which is for starts that are
// nearly right.
constexpr double far = 1.5, near = 0.75;
// Of all that was gained before, what a step up gains at least where it was one, and where the next one is worth
// trying. In between the best value lies between the two.
constexpr double little = 0.02, much = 0.15;
// How much further a parabola may rise on the side of high values.
constexpr double most_rise = 4.0;
// A start that nothing was better than has to improve on its own first metric: so many of the next ones have to be
// better before so many are not.
constexpr int proof = 2, doubt = 3;
// Values that turn out worse, of which a run can afford as many at any rate, if it is not too short for them; and one
// more above a value that helped, for a start far too low is worth nothing anyway.
constexpr double usual_trials = 2.0, one_more = 1.0;

/// Where a value lies, by its logarithm, and the metric that it led to.
struct point {
  double where = 0.0;
  double level = std::numeric_limits<double>::quiet_NaN();

  bool known() const noexcept { return level == level; }
  void fields(archive& a) { a(where)(level); }
};

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
  point start{};
  point best{};   // what led furthest
  point below{};  // its neighbours, of those that ran from the origin
  point above{};
  double lowest = 0.0;  // of those, the logarithm of the lowest value

  double gone = 0.0;    // observations of the search
  double untold = 0.0;  // of those, the ones that the inner tuner has not heard of
  double kept = 0.0;    // and those that led to the present state
  double kept_at_trial = 0.0;
  std::size_t taken = 0;  // of the running value
  double count = 0.0;     // of the metrics in its second half, and their mean
  double mean = 0.0;
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
    lowest = std::log(rates.value(wanted.values));
    out.state |= training_state::mark_origin;
  }

  void tell(observation const& seen, suggestions& inner) {
    switch (now) {
      case phase::first:
        return gone > 0.0 || can_search(seen) ? follow(seen, inner) : leave(seen, inner);
      case phase::leap:
      case phase::climb:
      case phase::down:
        return mistaken(seen) ? abandon(seen, inner) : follow(seen, inner);
      case phase::landing:
        return mistaken(seen) && !(best.level < infinity) ? abandon(seen, inner) : land(seen, inner);
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
    out.events = gone > 0.0 ? event::none : far_for_epochs(seen);
    advance(seen);
    untold += seen.steps;
    if (has(asked, training_state::mark_trial) && !seen.restorable) return go_without(asked, seen, inner);
    if (overridden(seen) && now != phase::first) return leave_alone(inner);
    failed = failed || seen.bad();
    if (seen.usable() && 2 * ++taken > rung) mean += (seen.metric - mean) / ++count;
    if (failed || taken >= rung) conclude(failed ? infinity : mean, inner);
  }

  // The copy that would undo this value was not made. What began at the origin begins there once more, as does what has
  // failed.
  void go_without(training_state asked, observation const& seen, suggestions& inner) {
    given_up = true;
    out.events |= event::not_restorable;
    if (!fell() && !rose() && best.level < infinity) out.events |= event::not_located;
    if (has(asked, training_state::return_to_origin) || seen.bad()) {
      kept = 0.0;
      out.state |= training_state::return_to_origin;
    }
    finish_at(best.level < infinity ? best.where : fallen(), inner);
  }

  // Of a value that does not run at all nothing can be learned, however few its observations are.
  bool overridden(observation const& seen) {
    std::size_t const excused = std::min(rung - 1, override_check::by_chance);
    return check.overridden(rates.value(out.values), rates.ran(out, seen), excused);
  }

  // Something else sets the value too: the run goes on where it was, from the beginning where that had failed.
  void leave_alone(suggestions& inner) {
    given_up = true;
    if (best.level < infinity) {
      take_back();
    } else {
      kept = 0.0;
      out.state |= training_state::return_to_origin;
    }
    finish_at(best.where, inner);
  }

  void advance(observation const& seen) noexcept {
    gone += seen.steps;
    kept += seen.steps;
  }

  void conclude(double metric, suggestions& inner) {
    point const here{std::log(rates.value(out.values)), metric};
    switch (now) {
      case phase::first:
        out.events |= event::range_test_began;
        best = start = here;
        if (!can_fall() && !can_rise()) return finish(inner);
        mark();
        // With one trial to spend, a start that trains may be too low rather than too high.
        return can_fall() && (trials() > 1.0 || failed || !can_rise()) ? fall() : leap();
      case phase::down:
        return compare_below(here, inner);
      case phase::leap:
        return compare_above(here, inner);
      default: {
        double const gain = (best.level - metric) / (start.level - best.level);
        double const halfway = 0.5 * (best.where + here.where);
        if (gain > little)
          accept(here);
        else
          take_back();
        return gain > much ? climb_or_finish(inner) : gain > little ? finish_at(halfway, inner) : finish(inner);
      }
    }
  }

  void compare_below(point here, suggestions& inner) {
    lowest = here.where;
    bool const found = here.level < best.level;
    if (found) {
      above = below.known() ? below : best;  // what ran before, and was alike
      best = here;
      below = {};
      if (can_fall()) mark();
    } else {
      below = here;
      kept = kept_at_trial;
    }
    // What is broken may be so in the last bit alike, as the accuracy of a network that only guesses.
    if (here.level <= best.level && can_fall()) return fall();
    if (!fell() && !above.known() && can_rise()) return leap();
    if (!found) take_back();
    finish(inner);
  }

  void compare_above(point here, suggestions& inner) {
    auto const lowest_point = valley(below, best, here);
    double const gain = best.level - here.level;
    // Where both are nearly alike, the lower value has done less harm.
    if (gain > 0.0 && !(gain < much * (below.level - best.level))) {
      accept(here);
      return lowest_point && *lowest_point < here.where ? finish_at(*lowest_point, inner) : climb_or_finish(inner);
    }
    above = here;
    take_back();
    finish(inner);
  }

  // What runs on from there cannot be compared with what began at the origin.
  void accept(point here) {
    best = here;
    below = above = {};
  }
  void climb_or_finish(suggestions& inner) {
    if (!can_rise()) return finish(inner);
    mark();
    run(phase::climb, risen());
  }

  bool fell() const noexcept { return best.where < start.where; }
  bool rose() const noexcept { return best.where > start.where; }

  void take_back() {
    kept = kept_at_trial;
    out.state |= training_state::return_to_trial;
  }

  double bound(double unit) const noexcept { return std::log(rates.at(unit)); }
  double risen() const noexcept {
    return std::min(best.where + (rose() ? 1.0 : far) * std::log(options.ratio), bound(1.0));
  }
  double fallen() const noexcept {
    bool const nearly = lowest == start.where && start.level < infinity;
    return std::max(lowest - (nearly ? near : far) * std::log(options.ratio), bound(0.0));
  }
  bool can_rise() const noexcept {
    double const least = trials() + (rose() ? one_more : 0.0);
    return !given_up && best.level < infinity && risen() > best.where + clearly && affordable(options.budget, least);
  }
  bool can_fall() const noexcept {
    return !given_up && lowest > fallen() + clearly && affordable(options.rescue_budget, trials());
  }
  bool affordable(double budget, double least) const noexcept {
    double const each = static_cast<double>(rung);
    double const lost = gone - kept + each;
    return options.horizon == 0 || lost <= std::max(budget * static_cast<double>(options.horizon), least * each);
  }
  double trials() const noexcept {
    if (options.horizon == 0) return usual_trials;
    return std::min(usual_trials, affordable_trials(options, rung));
  }

  void run(phase next, double where) {
    now = next;
    taken = 0;
    count = mean = 0.0;
    failed = false;
    out.why = reason::range_test;
    rates.set(out.values, std::exp(where));
  }

  void mark() {
    kept_at_trial = kept;
    out.state |= training_state::mark_trial;
  }

  void fall() { run_from_origin(phase::down, fallen()); }
  void leap() { run_from_origin(phase::leap, risen()); }
  void run_from_origin(phase next, double where) {
    kept = 0.0;
    out.state |= training_state::return_to_origin;
    run(next, where);
  }

  /// The lowest point of the parabola through three points that began at the origin; nothing where one is missing, the
  /// first is not above the second, or the parabola bends downwards. What diverged says that it is too high, and not
  /// how much.
  static std::optional<double> valley(point low, point middle, point high) noexcept {
    double const left = middle.where - low.where, right = high.where - middle.where;
    double const rise_left = low.level - middle.level;
    if (!high.known() || !(rise_left > 0.0 && rise_left < infinity)) return std::nullopt;
    double const rise_right = std::min(high.level - middle.level, most_rise * rise_left);
    double const bend = rise_left * right + rise_right * left;
    if (!(bend > 0.0)) return std::nullopt;
    return middle.where + 0.5 * (rise_left * right * right - rise_right * left * left) / bend;
  }

  void finish(suggestions& inner) {
    if (best.level < infinity) return finish_at(valley(below, best, above).value_or(best.where), inner);
    out.state |= training_state::return_to_origin;  // everything failed
    kept = 0.0;
    finish_at(fallen(), inner);
  }
  void finish_at(double where, suggestions& inner) {
    bool const moved = where != start.where;
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
  phase after_landing() const noexcept { return fell() || rose() || !can_fall() ? phase::through : phase::proving; }

  // The start is kept: the inner tuner goes on from where it would be by now. False if it ends instead.
  bool skip(suggestions& inner) {
    inner.tell({.result = outcome::skipped, .steps = std::exchange(untold, 0.0)});
    return ready = inner.poll() != nullptr;
  }

  // The first stretch that counts: the inner tuner learns where it begins, and how much of the run is gone.
  void land(observation const& seen, suggestions& inner) {
    if (broke(seen) && !landed_again && inner.poll() != nullptr) return land_again(seen, inner);
    if (seen.bad() && !(best.level < infinity)) return wait(seen);
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
    return best.level < infinity && (seen.bad() || (seen.usable() && seen.metric > start.level));
  }
  void land_again(observation const& seen, suggestions& inner) {
    landed_again = true;
    advance(seen);
    untold += seen.steps;
    kept = 0.0;
    lowest = std::max(std::log(rates.value(out.values)) - near * std::log(options.ratio), bound(0.0));
    rates.set(out.values, std::exp(lowest));
    out.why = reason::back_off;
    out.events = event::backed_off;
    out.state = training_state::return_to_origin | saved_before_trial(inner.ask());
  }

  // Nothing was better than the start, which may be because all of it was broken.
  void prove(observation const& seen, suggestions& inner) {
    advance(seen);
    pass(seen, inner);
    if (seen.usable()) ++(seen.metric < start.level ? better : no_better);
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
    a(rates)(start)(best)(below)(above)(lowest)(gone)(untold)(kept)(kept_at_trial)(taken)(count)(mean)(failed);
    a(check)(given_up)(landed_again)(ready)(shares_origin)(extra_state)(extra_events)(out);
    a.between(rung, std::size_t{1}, std::numeric_limits<std::size_t>::max() / 2);
    if (a.reading() && now == phase::first && gone == 0.0) rung = planned_rung;
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
