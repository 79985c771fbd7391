#include <algorithm>
#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <vector>

import autotunenet;
import autotunenet.testing;
import support.guarded;

using namespace autotunenet;
using namespace support;

// Training state.

TEST_CASE("the training state is marked before the first step, and kept until something is good") {
  auto tuner = climbing() | guard(strict());
  auto const made = run(tuner, {quiet_nan, quiet_nan}, true);
  CHECK(made[0].state == training_state::mark_candidate);
  CHECK(has(made[1].state, training_state::return_to_good));
  CHECK(has(made[1].state, training_state::promote));
  CHECK(has(made[2].state, training_state::return_to_good));
  CHECK_FALSE(has(made[2].state, training_state::promote));
}

TEST_CASE(
    "where rollbacks are of hyperparameters alone, no training state is asked for, and values go back all the same") {
  auto options = strict();
  options.rollback = rollback_scope::hyperparameters;
  auto tuner = climbing() | guard(options);
  auto const made = run(tuner, {10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, quiet_nan}, true);
  for (suggestion const& s : made) CHECK(s.state == training_state::keep);
  CHECK(made.back().why == reason::rollback);
  bool ran_before = false;
  for (std::size_t i = 0; i + 2 < made.size(); ++i) ran_before = ran_before || made[i].values == made.back().values;
  CHECK(ran_before);
}

TEST_CASE("a reversible trial is possible where rollbacks are of hyperparameters alone") {
  search_space const space{real{"lr", 1e-6, 1.0, scale::log}};
  auto tuner =
      quasi_random(space) | range_test({.horizon = 1000}) | guard({.rollback = rollback_scope::hyperparameters});
  training_state asked = training_state::keep;
  for (int i = 0; i < 200; ++i) {
    asked |= tuner.ask().state;
    tuner.tell({.metric = 1.0 / (1 + i), .restorable = true});
  }
  CHECK(has(asked, training_state::mark_origin));
  CHECK(has(asked, training_state::return_to_origin));
  CHECK_FALSE(has(asked, training_state::mark_candidate | training_state::return_to_good | training_state::promote));
}

TEST_CASE("a rollback returns to the training state that goes with its configuration") {
  auto tuner = climbing() | guard(strict());
  auto const made = run(tuner, {10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, quiet_nan}, true);
  std::size_t marked = 0, promoted = 0;
  for (std::size_t i = 1; i < made.size(); ++i) {
    if (has(made[i].events, event::became_good)) {
      CHECK(has(made[i].state, training_state::promote));
      promoted = marked;
    }
    if (has(made[i].state, training_state::mark_candidate)) marked = i;
  }
  REQUIRE(promoted > 0);
  CHECK(made.back().why == reason::rollback);
  CHECK(has(made.back().state, training_state::return_to_good));
  CHECK(made.back().values == made[promoted - 1].values);
}

TEST_CASE("the training state is copied rarely") {
  auto tuner = climbing() | guard({.snapshot_every = 50});
  auto const made = run(tuner, times(1000, 1.0), true);
  std::size_t marks = 0;
  for (suggestion const& s : made) marks += has(s.state, training_state::mark_candidate) ? 1 : 0;
  CHECK(marks >= 15);
  CHECK(marks <= 36);
  std::size_t late = 0;
  for (std::size_t i = 500; i < made.size(); ++i) late += has(made[i].state, training_state::mark_candidate) ? 1 : 0;
  CHECK(late <= 10);
}

TEST_CASE("a rollback undoes little of a run, also early") {
  for (std::size_t const healthy : {60U, 120U, 400U}) {
    auto tuner = climbing() | guard();
    std::vector<double> metrics;
    for (std::size_t i = 0; i < healthy; ++i) metrics.push_back(1000.0 - static_cast<double>(i));
    metrics.push_back(quiet_nan);
    auto const made = run(tuner, metrics, true);
    REQUIRE(made.back().why == reason::rollback);
    std::size_t marked = 0, promoted = 0;
    for (std::size_t i = 0; i < made.size(); ++i) {
      if (has(made[i].state, training_state::promote)) promoted = marked;
      if (has(made[i].state, training_state::mark_candidate)) marked = i;
    }
    CHECK(promoted + std::max<std::size_t>(healthy / 5, 30) >= healthy);
  }
}

TEST_CASE("while single metrics come that are worse than any before training, what is good stays what it was before") {
  auto const last_good_of = [](double now_and_then) {
    auto tuner = climbing() | guard();
    state_copies<int> kept;
    int steps = 0;
    for (int i = 0; i < 400; ++i) {
      kept.carry_out(tuner.ask().state, steps);
      ++steps;
      double const metric = 10.0 - 0.01 * i + 0.001 * (i * 7919 % 11);
      tuner.tell({.metric = i > 200 && i % 10 == 0 ? now_and_then : metric, .restorable = true});
    }
    kept.carry_out(tuner.ask().state, steps);
    tuner.tell({.metric = quiet_nan, .restorable = true});
    kept.carry_out(tuner.ask().state, steps);
    return steps;
  };
  CHECK(last_good_of(8.0) > 300);  // nothing new
  CHECK(last_good_of(9.99) > 300);
  CHECK(last_good_of(100.0) <= 210);
  CHECK(last_good_of(100.0) > 100);
  CHECK(last_good_of(1e30) > 100);
}

TEST_CASE("weights that few batches meet and that have blown up are left behind") {
  struct network {
    double usual = 10.0, rare = 0.1;
    double train(int step, double rate) {
      usual *= 0.99;
      if (step % 9 != 0) return usual;
      rare *=
          rate * (1.0 + rare) > 0.3 ? 1.0 + 10.0 * rate * (1.0 + rare) : 0.9;  // the larger, the lower it needs to be
      return usual + rare;
    }
  } trained;
  search_space const space{real{"lr", 1e-6, 1.0, scale::log}};
  auto tuner = following(space.at({{"lr", 0.28}})) | guard();
  state_copies<network> kept;
  for (int i = 0; i < 3000; ++i) {
    suggestion const& now = tuner.ask();
    kept.carry_out(now.state, trained);
    tuner.tell({.metric = trained.train(i, now.values["lr"]), .restorable = true});
  }
  CHECK(trained.usual < 0.1);
  CHECK(trained.rare < 1.0);
}

TEST_CASE("a configuration whose training state was not copied does not replace one whose state was") {
  auto options = strict();
  options.snapshot_every = 4;
  auto tuner = climbing() | guard(options);
  std::vector<suggestion> made{tuner.ask()};
  std::size_t copied = 0;
  for (int i = 0; i < 40; ++i) {
    bool const asked = has(made.back().state, training_state::mark_candidate);
    bool const refuses = made.size() > 12;
    if (asked && !refuses) copied = made.size() - 1;
    tuner.tell({.metric = 10.0 - 0.1 * i, .restorable = !(asked && refuses)});
    made.push_back(tuner.ask());
  }
  REQUIRE(copied > 0);
  tuner.tell({.metric = quiet_nan, .restorable = true});
  CHECK(tuner.ask().why == reason::rollback);
  CHECK(has(tuner.ask().state, training_state::return_to_good));
  CHECK(tuner.ask().values == made[copied - 1].values);
}

TEST_CASE("where copies are too dear, a rate that goes on well after a rollback is not lowered by the next failure") {
  auto tuner = climbing() | guard();
  for (int i = 1; i <= 600; ++i) {
    bool const late = i > 300;
    bool const asked = has(tuner.ask().state, training_state::mark_candidate);
    tuner.tell({.metric = late && i % 60 == 0 ? quiet_nan : 1000.0 - i, .restorable = !(late && asked)});
    if (late) CHECK(tuner.ask().why != reason::back_off);
  }
}

TEST_CASE("where no copy was made since, a second failure in a row goes back to the first one, a lonely one does not") {
  for (bool const lonely : {true, false}) {
    auto tuner = climbing() | guard(strict());
    for (int i = 0; i < 20; ++i) {
      bool const marks = has(tuner.ask().state, training_state::mark_candidate);
      tuner.tell({.metric = 10.0 - 0.1 * i, .restorable = i == 0 || !marks});
    }
    auto const fails = [&] {
      (void)tuner.ask();
      tuner.tell({.metric = quiet_nan, .restorable = true});
      return has(tuner.ask().state, training_state::return_to_good);
    };
    CHECK_FALSE(fails());
    CHECK(tuner.ask().why == reason::rollback);
    if (lonely) tuner.tell({.metric = 8.0, .restorable = true});
    CHECK(fails() != lonely);
  }
}

TEST_CASE(
    "after a failure copies come sooner, so that failures that come back leave part of the training between them") {
  for (int const apart : {15, 30, 60, 120}) {
    auto tuner = climbing() | guard();
    int trained = 0, candidate = 0, good = 0;  // observations that led to the states
    for (int i = 1; i <= 3000; ++i) {
      training_state const asked = tuner.ask().state;
      if (has(asked, training_state::return_to_good)) trained = good;
      if (has(asked, training_state::promote)) good = candidate;
      if (has(asked, training_state::mark_candidate)) candidate = trained;
      bool const fails = i > 1000 && i % apart == 0;
      if (!fails) ++trained;
      tuner.tell({.metric = fails ? quiet_nan : 10000.0 - trained, .restorable = true});
    }
    INFO("every " << apart << ": " << trained);
    CHECK(trained > 1000 + 2000 / 4);
  }
}

TEST_CASE("what the trainer has noticed comes with the next suggestion, once") {
  auto tuner = climbing() | guard();
  for (int i = 0; i < 6; ++i) {
    CHECK(has(tuner.ask().events, event::not_measured) == (i == 3));
    tuner.tell({.metric = 1.0, .noticed = i == 2 ? event::not_measured : event::none});
  }
}

TEST_CASE("a trainer that cannot restore is asked for one copy, and rolled back by configuration") {
  auto tuner = climbing() | guard(strict());
  auto const made = run(tuner, {10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, quiet_nan}, false);
  for (std::size_t i = 1; i < made.size(); ++i) CHECK(made[i].state == training_state::keep);
  CHECK(made.back().why == reason::rollback);
}

// Reversible trials.

namespace {

/// Three steps of trial from the second suggestion on, then a landing.
suggestions trying(support::log* told = nullptr) {
  auto script = [](suggestion& next) {
    bool const trial = next.number >= 2 && next.number <= 4;
    next.why = trial ? reason::range_test : reason::explore;
    next.values.assign(0, trial ? 1.0 : 0.05);
    if (next.number == 2) next.state = training_state::return_to_trial;
    if (next.number == 5) next.state = training_state::return_to_trial | training_state::drop_trial;
  };
  return scripted(start(), script, told);
}

}  // namespace

TEST_CASE("a reversible trial passes unclamped and unjudged, NaN included") {
  support::log told;
  auto options = strict();
  options.warm_up = 2;
  auto tuner = trying(&told) | guard(options);
  auto const made = run(tuner, {1.0, 2.0, quiet_nan, 1e9, 1.0}, true);
  for (std::size_t const i : {1U, 2U, 3U}) {
    CHECK(made[i].why == reason::range_test);
    CHECK(made[i].values["lr"] == 1.0);
    CHECK_FALSE(has(made[i].events, event::clamped));
  }
  CHECK(std::isnan(told[2].seen.metric));
  CHECK(told[3].seen.metric == 1e9);
  CHECK(told[3].seen.result == outcome::measured);
  CHECK(count(made, event::failed) == 0);
  CHECK(count(made, event::cooldown_began) == 0);
}

TEST_CASE("where a trial lands is accepted as it is, and warm-up begins there") {
  auto options = strict();
  options.warm_up = 2;
  auto tuner = trying() | guard(options);
  auto const made = run(tuner, {1.0, 0.5, 0.1, 1e9, 1.0, 0.9, 0.8}, true);
  CHECK(made[4].values["lr"] == 0.05);
  CHECK(made[4].why == reason::explore);
  CHECK(has(made[4].state, training_state::return_to_trial));
  CHECK(has(made[4].state, training_state::drop_trial));
  CHECK(made[5].why == reason::warm_up);
  CHECK(made[5].values["lr"] == 0.05);
  CHECK(made[6].why == reason::explore);
  CHECK(count(made, event::regressed) == 0);
}

TEST_CASE("once training has begun again, what was good before is not returned to") {
  for (int const good_again : {0, 20}) {
    auto tuner = scripted(start(),
                          [&](suggestion& next) {
                            next.why = next.number == 41 ? reason::back_off : reason::exploit;
                            next.values.assign(0, next.number < 41 ? 0.05 : 0.005);
                            if (next.number == 41) next.state = training_state::return_to_origin;
                          }) |
                 guard({.warm_up = 0});
    std::vector<double> metrics = times(static_cast<std::size_t>(44 + good_again), 1.0);
    metrics.push_back(quiet_nan);
    auto const made = run(tuner, metrics, true);
    suggestion const& remedy = made.back();
    CHECK(made[39].values["lr"] > 0.005);
    CHECK(remedy.why == (good_again > 0 ? reason::rollback : reason::back_off));
    CHECK(remedy.values["lr"] <= 0.005);
    CHECK(has(remedy.state, training_state::return_to_good));
  }
}

TEST_CASE("once training has gone back to its best validation, neither what was good since nor its metric counts") {
  for (int const good_again : {0, 20}) {
    auto tuner = scripted(start(),
                          [&](suggestion& next) {
                            next.why = reason::exploit;
                            next.values.assign(0, next.number < 41 ? 0.05 : 0.01);
                            if (next.number == 20) next.state = training_state::mark_best;
                            if (next.number == 41) next.state = training_state::return_to_best;
                          }) |
                 guard({.warm_up = 0});
    // Training goes on where it was much less far.
    std::vector<double> metrics = times(40, 1.0) + times(static_cast<std::size_t>(4 + good_again), 3.0);
    metrics.push_back(quiet_nan);
    auto const made = run(tuner, metrics, true);
    CHECK(has(made[40].state, training_state::return_to_best));
    CHECK(count(made, event::regressed) == 0);
    double const bounded = made[39].values["lr"] / 1.5 * (1.0 - 1e-9);
    CHECK(made[40].values["lr"] >= bounded);
    CHECK(made.back().why == (good_again > 0 ? reason::rollback : reason::back_off));
    CHECK(made.back().values["lr"] <= 0.012);
  }
}

TEST_CASE("a return to the best validation takes the place of a remedy that is due") {
  auto tuner = scripted(start(),
                        [&](suggestion& next) {
                          next.why = reason::anneal;
                          if (next.number == 20) next.state = training_state::mark_best;
                          if (next.number == 41) next.state = training_state::return_to_best;
                        }) |
               guard({.warm_up = 0});
  auto const made = run(tuner, times(39, 1.0) + std::vector{quiet_nan}, true);
  CHECK(made.back().why == reason::anneal);
  CHECK(has(made.back().events, event::failed));
  CHECK(has(made.back().state, training_state::return_to_best));
  CHECK_FALSE(has(made.back().state, training_state::return_to_good));
}

TEST_CASE("after a trial that led nowhere, what the guard knew of the metric still holds") {
  for (reason const end : {reason::hold, reason::start}) {
    auto tuner = scripted(start(),
                          [&](suggestion& next) {
                            next.why = next.number >= 40 && next.number < 45 ? reason::range_test
                                       : next.number == 45                   ? end
                                                                             : reason::exploit;
                            if (next.number == 40) next.state = training_state::mark_trial;
                            if (next.number == 45)
                              next.state = training_state::return_to_trial | training_state::drop_trial;
                          }) |
                 guard({.warm_up = 0});
    // Much worse from the end of the trial on.
    bool noticed = false;
    for (int step = 1; step < 60; ++step) {
      noticed = has(tuner.ask().events, event::regressed) || noticed;
      tuner.tell({.metric = step < 45 ? 1.0 : 3.0, .restorable = true});
    }
    CHECK(noticed == (end == reason::hold));
  }
}
