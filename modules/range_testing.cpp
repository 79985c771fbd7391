module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "landing_proof.hpp"
#include "pilot_plan.hpp"
#include "range_sweep.hpp"

module autotunenet;

import :range_testing;
import :tied_rates;

namespace autotunenet {

suggestion const& range_testing::ask(suggestions& inner) {
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

void range_testing::begin(suggestion const& wanted) {
  out.values = wanted.values;
  out.why = wanted.why;
  out.events = wanted.events;
  rates = tied_rates(wanted.values.space(), parameter, "range_test");
  if (rates.none()) {
    now = phase::through;
    extra_events = event::not_located | event::no_learning_rate;
    return;
  }
  rates.tie(out.values);
  if (sweep.steps() > 0) out.state = training_state::mark_origin;
}

void range_testing::tell(observation const& seen, suggestions& inner) {
  switch (now) {
    case phase::first:
      return start(seen, inner);
    case phase::sweep:
      return follow_sweep(seen, inner);
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

void range_testing::start(observation const& seen, suggestions& inner) {
  bool const epochs = seen.covers == coverage::epoch;
  bool const located = seen.relocated;  // by a stage outside, which has dropped the origin that was shared
  spent += seen.steps;
  if (epochs && seen.bad() && !located) return wait();
  if (sweep.steps() > 0 && seen.restorable && !epochs && !located) {
    now = phase::sweep;
    spent = std::max(spent, 1.0);
    out.why = reason::range_test;
    out.events = event::range_test_began;
    out.state = training_state::return_to_origin;
    sweep.begin(rates.at(0.0), rates.at(1.0));
    rates.set(out.values, sweep.next());
    return;
  }
  now = phase::through;
  if (!epochs && !located)
    extra_events = event::not_located | (sweep.steps() > 0 ? event::not_restorable : event::run_too_short);
  else if (sweep.steps() > 0 && !located)
    extra_state = training_state::drop_origin;
  observation passed = seen;
  passed.steps = std::exchange(spent, 0.0);
  pass(passed, inner);
}

// What fails before anything was measured may not have been an epoch.
void range_testing::wait() {
  out.events = event::none;
  out.state = training_state::keep;
}

void range_testing::follow_sweep(observation const& seen, suggestions& inner) {
  spent += seen.steps;
  if (sweep.overridden(rates.value(out.values), rates.ran(out, seen))) return finish_sweep(inner);
  out.events = event::none;
  bool back = seen.bad() && sweep.fail();
  if (seen.usable()) sweep.add(seen.metric);
  if (sweep.pass_over()) {
    back = sweep.refine();
    if (!back) return finish_sweep(inner);
  }
  out.state = back ? training_state::return_to_origin : training_state::keep;
  rates.set(out.values, sweep.next());
}

void range_testing::finish_sweep(suggestions& inner) {
  sweep.end();
  plan.add_undone(spent);
  if (sweep.speaks() && swept().fell()) {
    auto const [there, safe] = sweep.where_it_fell();
    proof.expect_fall(safe);
    land_at(there, reason::start, event::range_test_ended, inner);
  } else if (!keep_start(inner)) {
    return;
  }
  out.state = training_state::return_to_origin;
  if (!to_be_proven()) out.state |= training_state::drop_origin;
}

// Nothing was found: the inner tuner's own value, as it is by now, moved where it does not work if that is known, and
// upwards, on trial, where no value was too high either.
// False if the tuner ends instead.
bool range_testing::keep_start(suggestions& inner) {
  inner.tell({.result = outcome::skipped, .steps = std::exchange(spent, 0.0)});
  ready = inner.poll() != nullptr;
  if (!ready) return false;
  out.values = inner.ask().values;
  double const start = rates.value(out.values);
  double const there = sweep.speaks() ? sweep.nearest_that_works(start) : start;
  if (there != start) {
    if (!sweep.diverged()) proof.expect_any_fall(start);
    land_at(there, reason::start, event::range_test_ended, inner);
  } else {
    now = phase::through;
    out.why = reason::start;
    out.events = event::range_test_ended;
    if (sweep.followed() && !(sweep.speaks() && sweep.diverged()))
      out.events |= event::not_located | (sweep.speaks() ? event::no_difference : event::failed);
  }
  return true;
}

void range_testing::land_at(double there, reason why, event what, suggestions& inner) {
  now = phase::landing;
  proof.land(there);
  out.values = inner.ask().values;
  if (held.empty())
    held.assign(out.values.values().begin(), out.values.values().end());
  else
    rates.hold_others(out.values, held);
  rates.set(out.values, there);
  out.why = why;
  out.events = what;
}

// The first stretch that counts: the inner tuner learns where it begins, and how much of the run is gone.
void range_testing::land(observation const& seen, suggestions& inner) {
  observation passed = seen;
  if (passed.applied.empty()) passed.applied = out.values.values();
  passed.steps += std::exchange(spent, 0.0);
  passed.relocated = true;
  proof.follow_first(seen.steps, metric_of(seen));
  now = to_be_proven() && unsettled() ? phase::proving : phase::through;
  pass(passed, inner);
}

void range_testing::prove(observation const& seen, suggestions& inner) {
  proof.follow(seen.steps, metric_of(seen));
  if (seen.bad()) plan.give_up();  // where the run is now is a remedy's choice
  pass(seen, inner);
  if (!proof.measured()) return;
  if (proof.can_restart() && proof.harmed(swept())) return leave_harm(inner);
  plan.follow(proof.steps(), proof.fall(swept()));
  if (plan.due(proof.steps())) return start_pilots(inner);
  if (!proof.over()) return;
  if (plan.regretted(proof.fall(swept()), swept())) return return_to_left(inner);
  if (proof.can_restart() && proof.unproven(swept()))
    return proof.guessed() ? return_to_start(inner) : begin_again(proof.after_failure(), inner);
  if (!plan.doubted() && proof.doubtful(swept()) && inner.poll() != nullptr) return start_doubts(inner);
  extra_state = training_state::drop_trial;
  if (!proof.can_restart() || proof.relapsed()) return settle();
  now = phase::watching;
  proof.begin_watch(swept());
}

// One that has proven itself may do so more slowly. Trials of the inner tuner's own say nothing of that. What rises
// once more, with a quarter, is the metric itself, as where data grow harder.
void range_testing::watch(observation const& seen, suggestions& inner) {
  if (seen.bad()) proof.interrupt_watch();
  bool const relapsed = proof.watch(out.why != reason::range_test ? metric_of(seen) : std::nullopt);
  pass(seen, inner);
  if (relapsed) return begin_again(proof.after_relapse(), inner);
  suggestion const* const next = inner.poll();
  bool const learns_by_heart = next && has(next->state, training_state::return_to_best);
  if (proof.watched() || learns_by_heart) settle();
}

void range_testing::settle() noexcept {
  now = phase::through;
  extra_state |= training_state::drop_origin;
}

void range_testing::begin_again(double there, suggestions& inner) {
  proof.restart();
  land_again(there, training_state::return_to_origin, inner);
}

void range_testing::leave_harm(suggestions& inner) {
  if (plan.can_return()) return return_to_left(inner);
  if (!proof.guessed()) return begin_again(proof.after_harm(swept()), inner);
  // The value does make a difference: a sweep too noisy to be read hid where it ends, and may have hidden a fall.
  if (auto const lower = proof.lower_guess()) return begin_again(*lower, inner);
  return_to_start(inner);
}

// What looked as good at first was not.
void range_testing::return_to_left(suggestions& inner) {
  return_for_good(plan.compared_value(), training_state::return_to_trial, inner);
}

// Nothing shows that a higher value makes a difference.
void range_testing::return_to_start(suggestions& inner) {
  return_for_good(proof.start(), training_state::return_to_origin, inner);
  out.events |= event::not_located | event::no_difference;
}

void range_testing::return_for_good(double there, training_state back, suggestions& inner) {
  proof.restart_no_more();
  plan.give_up();
  land_again(there, back, inner);
}

void range_testing::land_again(double there, training_state back, suggestions& inner) {
  if (inner.poll() == nullptr) return;  // the tuner has ended: the run goes on as it is
  proof.begin_anew();
  plan.begin_anew();
  spent = 0.0;
  land_at(there, reason::back_off, event::backed_off, inner);
  out.state = back | training_state::drop_trial | saved_before_trial(inner.ask());
  if (!unsettled()) out.state |= training_state::drop_origin;
}

void range_testing::start_pilots(suggestions& inner) {
  // What has not trained yet has nothing to compare with, and is still to be proven.
  if (inner.poll() == nullptr || !proof.trained(swept()) || !room_above(proof.value()) ||
      !plan.promising(proof.fall(swept()), swept()))
    return plan.end();
  leave_run(inner);
  climb();
}

void range_testing::start_doubts(suggestions& inner) {
  plan.doubt();
  leave_run(inner);
  begin_anew_at(plan.far_lower());
}

void range_testing::leave_run(suggestions& inner) {
  out.events = event::range_test_began;
  out.state = saved_before_trial(inner.ask());
  compare_with(proof.value());
}

void range_testing::compare_with(double value) {
  plan.compare_with(value, proof.fall(swept()));
  out.state |= training_state::mark_trial;
}

// Upwards from where training is: what keeps up has cost nothing.
void range_testing::climb() { start_pilot(plan.higher()); }

void range_testing::begin_anew_at(double value) {
  out.state |= training_state::return_to_origin;
  start_pilot(value);
}

void range_testing::start_pilot(double value) {
  now = phase::pilot;
  proof.begin_pilot();
  out.why = reason::range_test;
  rates.set(out.values, value);
  plan.begin(rates.value(out.values));
}

void range_testing::follow_pilot(observation const& seen, suggestions& inner) {
  spent += seen.steps;
  if (has(out.state, training_state::mark_trial) && !seen.restorable) return go_without_pilots(inner);
  if (check.overridden(rates.value(out.values), rates.ran(out, seen))) {
    plan.give_up();
    proof.restart_no_more();
    return leave_pilots(inner);
  }
  proof.follow_pilot(seen.steps, metric_of(seen));
  out.events = event::none;
  out.state = training_state::keep;
  switch (plan.add(seen.bad(), proof, swept())) {
    case pilot_plan::move::wait:
      return;
    case pilot_plan::move::lower:
      return begin_anew_at(plan.lower());
    case pilot_plan::move::take:
      return go_on_with_pilot(inner);
    case pilot_plan::move::leave:
      return leave_pilots(inner);
  }
}

void range_testing::go_on_with_pilot(suggestions& inner) {
  proof.take_pilot();
  if (plan.rises(proof.fall(swept()), swept()) && room_above(plan.value())) {
    compare_with(plan.value());
    return climb();
  }
  plan.take();
  land_at(plan.value(), reason::start, event::range_test_ended, inner);
  if (!unsettled()) out.state |= training_state::drop_trial | training_state::drop_origin;
}

void range_testing::leave_pilots(suggestions& inner) {
  land_at(plan.compared_value(), reason::hold, event::range_test_ended, inner);
  out.state |= training_state::return_to_trial | training_state::drop_trial;
  if (!unsettled()) out.state |= training_state::drop_origin;
}

// The copy that would undo the pilot was not made: the run goes on from the pilot's first step, or from the origin and
// that.
void range_testing::go_without_pilots(suggestions& inner) {
  if (has(out.state, training_state::return_to_origin)) proof.begin_anew();
  plan.begin_anew();
  plan.give_up();
  land_at(plan.compared_value(), reason::hold, event::range_test_ended | event::not_restorable, inner);
  out.state = training_state::drop_trial;
  if (!unsettled()) out.state |= training_state::drop_origin;
}

// What is under way goes on as it began, also where the horizon is another one by now; what is over needs nothing, and
// what has yet to begin is planned by the horizon here.
void range_testing::fields(archive& a) {
  a.section("range test");
  a.between(now, phase::first, phase::through);
  if (rates.none() && now != phase::through) archive::refuse("tests a parameter that is not here");
  a(rates)(spent)(ready)(extra_state)(extra_events)(out)(held);
  bool const landed = now >= phase::landing && now < phase::through;
  if (held.size() != out.values.size() && (landed || !held.empty()))
    archive::refuse("holds values of another search space");
  if (now == phase::through) return;
  a(sweep);
  if (!sweep.begun() && now != phase::first) archive::refuse("is in a sweep of no steps");
  if (landed) {
    a(proof)(plan)(check);
  } else if (a.reading()) {
    proof = unused_proof;
    plan = unused_plan;
    check = {};
  }
}

void range_testing::pass(observation passed, suggestions& inner) {
  passed.number = 0;
  inner.tell(passed);
}

}  // namespace autotunenet
