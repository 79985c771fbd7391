module;
#include <algorithm>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <format>
#include <memory_resource>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pilots.hpp"
#include "range_sweep.hpp"
#include "relapse.hpp"
#include "running_median.hpp"
#include "stretch.hpp"

module autotunenet;

import :tied_rates;

namespace autotunenet {

namespace {

// A step that is smaller than this would change little.
constexpr double clearly = 1.1;
// Of the sweep's fall, what a run has to make to have proven itself, and what its value is divided by if it does not.
constexpr double proven_part = 0.7;
constexpr double much_lower = 4.0;
// Training steps that tell a level from its noise.
constexpr double least_proof = 16.0;
// Training that is worse than it was before it began, by so much of the sweep's fall or of the noise, had something to
// lose, as a network that has been trained before: that takes far lower values. Where the sweep clearly fell it had
// not.
constexpr double harmed_part = 0.35, harmed_noises = 0.7;
constexpr double far_lower = 10.0;
// By this part of the proof that is judged, by the median: a value that jumps is followed by waves that settle, and
// where classes are rare or batches small a single metric may be a hundred times the usual one.
constexpr double judged_part = 0.5;
constexpr std::size_t least_judged = 9;
// The values of pilots: upwards step by step, and where that is no good while the sweep diverged close by and the run
// has made little more than the sweep's fall, once far down.
constexpr double step_up = 2.0;
constexpr double step_down = 0.25;
constexpr double close_by = 2.5;
constexpr double little_more = 1.25;
// A sweep's fall of fewer noises may be all that a network can do that no longer trains, as to tell classes by how
// frequent they are. Where the run has come little further by its proof, a far lower value is tried for as long, and
// has to be better by so many standard errors, or, where few metrics leave those large, by so much of the noise.
constexpr double hidden_noises = 3.0;
constexpr double little_further = 2.5;
constexpr double has_to_gain_errors = 3.0;
constexpr double has_to_gain_noises = 0.7;
// Of the horizon, what the sweep and all pilots may take together where a further step up is a question.
constexpr double pilots_budget = 0.1;

range_sweep sweep_of(range_test_options const& given) {
  return range_sweep({.horizon = given.horizon,
                      .part = given.budget,
                      .most_part = given.most_budget,
                      .least_steps = given.least_steps,
                      .enough_steps = given.enough_steps,
                      .most_steps = given.most_steps,
                      .long_run = given.long_run,
                      .back_off = given.back_off,
                      .least_back_off = given.least_back_off});
}

struct range_tested {
  enum class phase : std::uint8_t { first, sweep, landing, proving, pilot, watching, through };

  range_test_options options;
  range_sweep sweep{sweep_of(options)};
  phase now = phase::first;
  tied_rates rates{};
  std::vector<double> held{};  // of the first landing: until that is proven nothing but the rates moves
  std::size_t taken = 0;       // suggestions of the sweep
  double spent = 0.0;          // training steps that will be undone
  double previous = 0.0;       // the value before the pending one: the one a metric speaks of
  bool ready = false;          // from tell to ask: the suggestion is made, and is not the inner tuner's

  bool should_fall = false;  // as the sweep did: it fell, and nothing has been harmed since
  double landing_value = 0.0;
  double safe_value = 0.0;                 // where a long run would land
  stretch run{proof_length()};             // since the last landing
  running_median recent{judged_length()};  // the same, lately
  stretch pilot{proof_length()};           // the running one
  relapse later{proof_length()};
  bool relapsed = false;
  std::size_t restarted = 0;
  pilots others{pilot_length(options)};
  pilots doubts{static_cast<std::size_t>(proof_length())};  // of a far lower value, where the run may train no more
  bool doubted = false;                                     // no pilots but those from here on
  double undone = 0.0;                                      // training steps of the sweep and of pilots, so far
  bool left = false;                                        // the run has gone on with a pilot, and can return

  training_state extra_state = training_state::keep;
  event extra_events = event::none;
  suggestion out{};

  double value(std::size_t step) const noexcept { return rates.at(sweep.position(step)); }
  range_curve const& swept() const noexcept { return sweep.curve(); }

  suggestion const& ask(suggestions& inner) {
    suggestion const& wanted = inner.ask();
    ++out.number;
    if (out.values.empty()) begin(wanted);
    if (!std::exchange(ready, false) && follows_inner()) {
      out.values = wanted.values;
      if (now == phase::proving) rates.hold_others(out.values, held);
      out.events = wanted.events | std::exchange(extra_events, event::none);
      out.why = wanted.why;
      training_state const extra = std::exchange(extra_state, training_state::keep);
      // What the inner stages mark now takes the place of what would be dropped, and is carried out before it.
      bool const marks = has(wanted.state, training_state::mark_trial);
      out.state = wanted.state | (marks ? without(extra, training_state::drop_trial) : extra);
    }
    return out;
  }

  bool follows_inner() const noexcept {
    return now == phase::proving || now == phase::watching || now == phase::through;
  }

  void begin(suggestion const& wanted) {
    out.values = wanted.values;
    out.why = wanted.why;
    out.events = wanted.events;
    rates = tied_rates(wanted.values.space(), options.parameter, "range_test");
    if (rates.none()) {
      now = phase::through;
      extra_events = event::not_located;
      return;
    }
    rates.tie(out.values);
    if (sweep.steps() > 0) out.state = training_state::mark_origin;
  }

  void tell(observation const& seen, suggestions& inner) {
    switch (now) {
      case phase::first:
        if (sweep.steps() > 0 && seen.restorable && seen.covers != coverage::epoch) return start_sweep();
        now = phase::through;
        if (seen.covers != coverage::epoch)
          extra_events = event::not_located;
        else if (sweep.steps() > 0)
          extra_state = training_state::drop_origin;
        return pass(seen, inner);
      case phase::sweep:
        return follow(seen, inner);
      case phase::landing:
        return land(seen, inner);
      case phase::proving:
        return prove(seen, inner);
      case phase::pilot:
        return follow_pilot(seen, inner);
      case phase::watching:
        return watch(seen, inner);
      case phase::through:
        return pass(seen, inner);
    }
  }

  void start_sweep() {
    now = phase::sweep;
    spent = 1.0;
    out.why = reason::range_test;
    out.events = event::range_test_began;
    out.state = training_state::return_to_origin;
    rates.set(out.values, value(taken++));
  }

  void follow(observation const& seen, suggestions& inner) {
    spent += seen.steps;
    double const wanted = rates.value(out.values);
    if (sweep.overridden(wanted, seen.applied.empty() ? wanted : rates.value(seen.applied))) return finish(inner);
    out.events = event::none;
    out.state = training_state::keep;
    if (seen.bad())
      sweep.fail();
    else if (seen.usable())
      sweep.add(taken == 1 ? wanted : previous, seen.metric);
    if (swept().conclusive() || taken == sweep.steps()) return finish(inner);
    previous = wanted;
    rates.set(out.values, value(taken++));
  }

  void finish(suggestions& inner) {
    undone = spent;
    should_fall = sweep.followed() && swept().fell();
    if (should_fall) {
      auto const [there, safe] = sweep.where_it_fell(value(1) / value(0));
      safe_value = safe;
      land_at(there, reason::start, event::range_test_ended, inner);
    } else if (!keep_start(inner)) {
      return;
    }
    out.state = training_state::return_to_origin;
    if (!to_be_proven()) out.state |= training_state::drop_origin;
  }

  // Nothing was found: the inner tuner's own value, as it is by now, moved where it does not work if that is known.
  // False if the tuner ends instead.
  bool keep_start(suggestions& inner) {
    others.end();
    if (!skip(inner)) return false;
    out.values = inner.ask().values;
    double const start = rates.value(out.values);
    double const there = sweep.followed() ? sweep.nearest_that_works(start) : start;
    if (there != start) {
      land_at(there, reason::start, event::range_test_ended, inner);
    } else {
      now = phase::through;
      out.why = reason::start;
      out.events = event::range_test_ended;
      if (sweep.followed() && !swept().diverged()) out.events |= event::not_located;
    }
    return true;
  }

  // The inner tuner goes on from where it would be by now. False if it ends instead.
  bool skip(suggestions& inner) {
    inner.tell({.result = outcome::skipped, .steps = std::exchange(spent, 0.0)});
    return ready = inner.poll() != nullptr;
  }

  // A start that is kept is the user's own.
  bool to_be_proven() const noexcept { return landing_value > 0.0; }

  // A rate that looks good for a moment may kill a network slowly.
  void prove(observation const& seen, suggestions& inner) {
    learn(run, seen);
    if (seen.usable()) recent.add(seen.metric);
    if (seen.bad()) {
      others.end();
      doubted = true;  // where the run is now is a remedy's choice
    }
    pass(seen, inner);
    if (!run.level().known()) return;
    if (can_restart() && harmed()) {
      should_fall = false;
      return begin_again(landing_value / (swept().fell_clearly() ? much_lower : far_lower), inner);
    }
    others.follow(run.steps(), fallen(run));
    doubts.follow(run.steps(), fallen(run));
    if (others.length() > 0 && run.steps() >= static_cast<double>(others.length())) return start_pilots(inner);
    if (run.steps() < proof_length()) return;
    if (left && others.regretted(fallen(run), fall_unit())) return return_to_left(inner);
    if (can_restart() && should_fall && !relapsed && fallen(run) < proven_part * swept().fall())
      return begin_again(lower(), inner);
    if (doubtful() && inner.poll() != nullptr) return start_doubts(inner);
    extra_state = training_state::drop_trial;
    if (!can_restart() || relapsed) return settle();
    now = phase::watching;
    later.begin(swept().start_level(), run.late());
  }

  // One that has proven itself may do so more slowly. Trials of the inner tuner's own say nothing of that. What rises
  // once more, with a quarter, is the metric itself, as where data grow harder.
  void watch(observation const& seen, suggestions& inner) {
    if (seen.bad()) later.interrupt();
    relapsed = out.why != reason::range_test && seen.usable() && later.add(seen.metric);
    pass(seen, inner);
    if (relapsed) return begin_again(landing_value / much_lower, inner);
    suggestion const* const next = inner.poll();
    bool const learns_by_heart = next && has(next->state, training_state::return_to_best);
    if (later.over() || learns_by_heart) settle();
  }

  void settle() noexcept {
    now = phase::through;
    extra_state |= training_state::drop_origin;
  }

  void learn(stretch& of, observation const& seen) noexcept {
    of.trained(seen.steps);
    if (seen.usable()) of.measured(seen.metric);
  }
  double fallen(stretch const& of) const noexcept { return swept().start_level() - of.level().mean(); }

  double proof_length() const noexcept {
    std::size_t const all = options.horizon > 0 ? options.horizon : options.long_run;
    return std::max(options.proof * static_cast<double>(all), least_proof);
  }

  std::size_t judged_length() const noexcept {
    return std::max(static_cast<std::size_t>(judged_part * proof_length()), least_judged);
  }

  bool can_restart() const noexcept { return restarted < options.restarts; }
  bool unsettled() const noexcept { return can_restart() || !doubted; }
  bool doubtful() const noexcept {
    return !doubted && swept().fall() < hidden_noises * swept().start_noise() &&
           fallen(run) < little_further * swept().fall();
  }

  bool harmed() const noexcept {
    return recent.known() &&
           recent.value() - swept().start_level() >
               (swept().fell() ? harmed_part * swept().fall() : harmed_noises * swept().start_noise());
  }

  double lower() const noexcept {
    return landing_value > clearly * safe_value ? safe_value : landing_value / much_lower;
  }

  void begin_again(double there, suggestions& inner) {
    ++restarted;
    land_again(there, training_state::return_to_origin | training_state::drop_trial, inner);
  }

  // What looked as good at first was not.
  void return_to_left(suggestions& inner) {
    restarted = options.restarts;
    doubted = true;
    land_again(others.compared_value(), training_state::return_to_trial | training_state::drop_trial, inner);
  }

  void land_again(double there, training_state back, suggestions& inner) {
    if (inner.poll() == nullptr) return;  // the tuner has ended: the run goes on as it is
    run = stretch(proof_length());
    recent = running_median(judged_length());
    spent = 0.0;
    left = false;
    others.end();
    land_at(there, reason::back_off, event::backed_off, inner);
    out.state = back | saved_before_trial(inner.ask());
    if (!unsettled()) out.state |= training_state::drop_origin;
  }

  void land_at(double there, reason why, event what, suggestions& inner) {
    now = phase::landing;
    landing_value = there;
    out.values = inner.ask().values;
    if (held.empty())
      held.assign(out.values.values().begin(), out.values.values().end());
    else
      rates.hold_others(out.values, held);
    rates.set(out.values, there);
    out.why = why;
    out.events = what;
  }

  // A run that can afford branches corrects its value by those.
  static std::size_t pilot_length(range_test_options const& options) noexcept {
    if (options.horizon >= options.long_run) return 0;
    return static_cast<std::size_t>(options.pilot * static_cast<double>(options.horizon));
  }

  void start_pilots(suggestions& inner) {
    // What has not trained yet has nothing to compare with, and is still to be proven.
    bool const nothing_yet = fallen(run) < proven_part * swept().fall();
    if (inner.poll() == nullptr || nothing_yet || !room_above(landing_value)) return others.end();
    out.events = event::range_test_began;
    out.state = saved_before_trial(inner.ask());
    compare_with(landing_value);
    start_pilot(step_up);
  }

  void start_doubts(suggestions& inner) {
    doubted = true;
    others = doubts;
    out.events = event::range_test_began;
    out.state = saved_before_trial(inner.ask());
    compare_with(landing_value);
    start_pilot(1.0 / far_lower);
  }

  void compare_with(double value) {
    others.compare_with(value, fallen(run));
    out.state |= training_state::mark_trial;
  }

  void start_pilot(double multiple) {
    now = phase::pilot;
    pilot = stretch(proof_length());
    out.why = reason::range_test;
    out.state |= training_state::return_to_origin;
    rates.set(out.values, multiple * others.compared_value());
    others.begin(rates.value(out.values));
  }

  double fall_unit() const noexcept { return std::max(others.compared_fall(), swept().fall()); }
  bool room_above(double value) const noexcept { return rates.at(1.0) > clearly * value; }
  bool affordable() const noexcept {
    return undone + static_cast<double>(others.length()) <= pilots_budget * static_cast<double>(options.horizon);
  }

  void follow_pilot(observation const& seen, suggestions& inner) {
    spent += seen.steps;
    undone += seen.steps;
    learn(pilot, seen);
    out.events = event::none;
    out.state = training_state::keep;
    bool const failed = seen.bad() || !pilot.level().known();
    switch (others.add(failed ? 0.0 : fallen(pilot), failed, fall_unit())) {
      case pilots::verdict::open:
        return;
      case pilots::verdict::better:
        return doubted && !clearly_better() ? leave_pilots(inner) : go_on_with_pilot(inner);
      case pilots::verdict::worse:
        return !doubted && others.rises() && too_high() ? start_pilot(step_down) : leave_pilots(inner);
    }
  }

  bool clearly_better() const noexcept {
    return clearly_above(run.late(), pilot.late(), has_to_gain_errors) ||
           fallen(pilot) - others.compared_fall() > has_to_gain_noises * swept().start_noise();
  }

  bool too_high() const noexcept {
    double const value = others.compared_value();
    return value == landing_value && swept().edge() < close_by * value &&
           others.compared_fall() < little_more * swept().fall();
  }

  void go_on_with_pilot(suggestions& inner) {
    run = pilot;
    recent = running_median(judged_length());
    if (others.rises() && room_above(others.value()) && affordable()) {
      compare_with(others.value());
      return start_pilot(step_up);
    }
    others.end();
    left = true;
    land_at(others.value(), reason::start, event::range_test_ended, inner);
    if (!unsettled()) out.state |= training_state::drop_trial | training_state::drop_origin;
  }

  void leave_pilots(suggestions& inner) {
    others.end();
    land_at(others.compared_value(), reason::hold, event::range_test_ended, inner);
    out.state |= training_state::return_to_trial | training_state::drop_trial;
    if (!unsettled()) out.state |= training_state::drop_origin;
  }

  void fields(archive& a) {
    a.section("range test");
    a.between(now, phase::first, phase::through);
    if (rates.none() && now != phase::through) archive::refuse("tests a parameter that is not here");
    a(rates)(sweep)(spent)(previous)(ready);
    a.below(taken, sweep.steps() + 1);
    if (sweep.steps() == 0 && now != phase::first && now != phase::through)
      archive::refuse("is in a sweep that this run is too short for");
    a(should_fall)(landing_value)(safe_value)(run)(pilot)(later)(relapsed);
    a(restarted)(recent)(others)(doubts)(doubted)(undone)(left);
    a(extra_state)(extra_events)(out)(held);
    bool const landed = now >= phase::landing && now < phase::through;
    if (held.size() != out.values.size() && (landed || !held.empty()))
      archive::refuse("holds values of another search space");
  }

  // The first stretch that counts: the inner tuner learns where it begins, and how much of the run is gone.
  void land(observation const& seen, suggestions& inner) {
    observation passed = seen;
    if (passed.applied.empty()) passed.applied = out.values.values();
    passed.steps += std::exchange(spent, 0.0);
    passed.relocated = true;
    learn(run, seen);
    now = to_be_proven() && unsettled() ? phase::proving : phase::through;
    pass(passed, inner);
  }

  void pass(observation passed, suggestions& inner) {
    passed.number = 0;
    inner.tell(passed);
  }
};

}  // namespace

range_test::range_test(range_test_options options, std::pmr::memory_resource* memory)
    : options_(std::move(options)), memory_(memory) {
  if (!(options_.budget >= 0.0 && options_.most_budget >= options_.budget && options_.most_budget <= 1.0)) {
    throw invalid_option(
        std::format("range_test: budget = {} and most_budget = {} must lie between 0 and 1, in this order",
                    options_.budget, options_.most_budget));
  }
  if (!(options_.back_off >= 1.0 && std::isfinite(options_.back_off))) {
    throw invalid_option(std::format("range_test: back_off = {} must be at least 1", options_.back_off));
  }
  if (!(options_.least_back_off >= 1.0 && options_.least_back_off <= options_.back_off)) {
    throw invalid_option(
        std::format("range_test: least_back_off = {} must lie between 1 and back_off", options_.least_back_off));
  }
  if (!(options_.pilot >= 0.0 && options_.pilot <= 1.0)) {
    throw invalid_option(std::format("range_test: pilot = {} must lie between 0 and 1", options_.pilot));
  }
  if (!(options_.proof > 0.0 && options_.proof <= 1.0)) {
    throw invalid_option(std::format("range_test: proof = {} must lie in (0, 1]", options_.proof));
  }
  if (options_.least_steps < 8 || options_.most_steps < options_.least_steps || options_.most_steps > 10000) {
    throw invalid_option(std::format(
        "range_test: least_steps = {} and most_steps = {} must be 8 or more, in this order, and at most 10000",
        options_.least_steps, options_.most_steps));
  }
}

suggestions range_test::operator()(suggestions inner) const {
  return drive(range_tested{options_}, std::move(inner), memory_);
}

}  // namespace autotunenet
