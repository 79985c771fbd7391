#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include "support/allocations.hpp"
#include "support/noisy_quadratic.hpp"

import autotunenet;
import autotunenet.testing;

using namespace autotunenet;
using Catch::Matchers::WithinRel;
using support::course;
using support::following;
using support::noisy_quadratic;

namespace {

search_space space() { return {real{"lr", 1e-6, 1e2, scale::log}, real{"momentum", 0.0, 0.9}}; }

struct trained {
  std::vector<suggestion> all;
  double landed = 0.0;
  std::size_t extra = 0;
  std::size_t returns = 0;
};
trained run(suggestions& tuner, noisy_quadratic& training, std::size_t most, double scale = 1.0, double shift = 0.0) {
  trained result;
  noisy_quadratic::weights saved = training.state();
  for (std::size_t step = 0; step < most; ++step) {
    suggestion const& s = tuner.ask();
    result.all.push_back(s);
    if (has(s.state, training_state::return_to_trial)) {
      training.restore(saved);
      ++result.returns;
    }
    if (has(s.state, training_state::mark_trial)) saved = training.state();
    if (s.why == reason::range_test) ++result.extra;
    if (has(s.events, event::range_test_ended)) result.landed = s.values["lr"];
    double const loss = training.step(s.values["lr"]);
    tuner.tell({.metric = scale * loss + shift, .restorable = true});
  }
  return result;
}

}  // namespace

TEST_CASE("branches bring a rate that is far too low or near divergence to where training works") {
  for (double const start : {0.003, 0.03, 0.3, 1.7}) {
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      noisy_quadratic training(seed, 0.1);
      auto tuner = following(space().at({{"lr", start}})) | branch_test({.horizon = 4000});
      trained const result = run(tuner, training, 1000);
      INFO("start " << start << " seed " << seed << " landed " << result.landed);
      CHECK(result.landed > std::min(0.1, 4.0 * start));
      CHECK(result.landed < 2.2);  // 2 is the edge of divergence
    }
  }
}

TEST_CASE("each branch leaves from the same state, and the state is back when the test is over") {
  noisy_quadratic training(5);
  auto tuner = following(space().at({{"lr", 0.2}})) | branch_test({.horizon = 4000});
  noisy_quadratic::weights saved{};
  bool landed = false;
  for (int step = 0; step < 1000 && !landed; ++step) {
    suggestion const& s = tuner.ask();
    if (has(s.state, training_state::return_to_trial)) training.restore(saved);
    if (has(s.state, training_state::mark_trial)) saved = training.state();
    landed = has(s.events, event::range_test_ended);
    if (landed) CHECK(has(s.state, training_state::return_to_trial | training_state::drop_trial));
    tuner.tell({.metric = training.step(s.values["lr"]), .restorable = true});
  }
  CHECK(landed);
}

TEST_CASE("branches stay inside their budget and the bounds, fall to the lower bound, and move nothing else") {
  noisy_quadratic training(1);
  auto tuner =
      following(space().at({{"lr", 0.2}, {"momentum", 0.7}})) | branch_test({.horizon = 4000, .budget = 0.077});
  trained const result = run(tuner, training, 4000);
  CHECK(result.returns >= 3);
  CHECK(result.extra <= 320);
  for (std::size_t i = 0; i < result.all.size(); ++i) {
    suggestion const& s = result.all[i];
    CHECK(s.number == i + 1);
    CHECK(s.values["momentum"] == 0.7);
    CHECK(s.values["lr"] <= 0.2 * 16.0);
  }
}

TEST_CASE("the tuner inside learns the value that training goes on with, and how much of the run is gone") {
  course log;
  noisy_quadratic training(2);
  auto tuner = following(space().at({{"lr", 0.02}}), &log) | branch_test({.horizon = 4000});
  trained const result = run(tuner, training, 1000);
  double all = 0.0;
  for (double const steps : log.steps) all += steps;
  CHECK(all == 1000.0);
  CHECK(log.applied.back() == result.landed);
}

TEST_CASE("a branch that fails counts as too far, and its state is undone") {
  for (int kind = 0; kind < 2; ++kind) {
    noisy_quadratic training(3, 0.1);
    auto tuner = following(space().at({{"lr", 0.3}})) | branch_test({.horizon = 4000});
    double landed = 0.0;
    noisy_quadratic::weights saved{};
    for (int step = 0; step < 1000; ++step) {
      suggestion const& s = tuner.ask();
      double const lr = s.values["lr"];
      if (has(s.state, training_state::return_to_trial)) training.restore(saved);
      if (has(s.state, training_state::mark_trial)) saved = training.state();
      if (has(s.events, event::range_test_ended)) landed = lr;
      observation seen{.metric = training.step(lr), .restorable = true};
      if (s.why == reason::range_test && lr > 0.5) {
        if (kind == 0) seen.metric = std::numeric_limits<double>::quiet_NaN();
        if (kind == 1) seen.result = outcome::failed;
      }
      tuner.tell(seen);
    }
    CHECK(landed > 0.01);
    CHECK(landed <= 0.6);
  }
}

TEST_CASE("a scaled and shifted metric turns up at the same value") {
  noisy_quadratic plain(4);
  noisy_quadratic scaled(4);
  auto first = following(space().at({{"lr", 0.2}})) | branch_test({.horizon = 4000});
  auto second = following(space().at({{"lr", 0.2}})) | branch_test({.horizon = 4000});
  CHECK_THAT(run(first, plain, 1000).landed, WithinRel(run(second, scaled, 1000, 1024.0, -4096.0).landed, 1e-6));
}

TEST_CASE("without a horizon, a gain, or a trainer that restores, there are no branches") {
  noisy_quadratic training(4);
  auto open_ended = following(space().at({{"lr", 0.2}})) | branch_test();
  CHECK(run(open_ended, training, 1000).extra == 0);
  auto short_run = following(space().at({{"lr", 0.2}})) | branch_test({.horizon = 100});
  CHECK(run(short_run, training, 100).extra == 0);
  auto stuck = following(space().at({{"lr", 0.2}})) | branch_test({.horizon = 4000});
  for (int step = 0; step < 1000; ++step) {
    CHECK(stuck.ask().why != reason::range_test);
    stuck.tell({.metric = 1.0, .restorable = true});
  }
  auto fixed = following(space().at({{"lr", 0.2}})) | branch_test({.horizon = 4000});
  for (int step = 0; step < 1000; ++step) {
    CHECK(fixed.ask().why != reason::range_test);
    fixed.tell({.metric = 1.0 / (step + 1.0)});
  }
}

TEST_CASE("where the copy that branches leave from is not made, the first step of one is the last") {
  course log;
  noisy_quadratic training(4);
  auto tuner = following(space().at({{"lr", 0.2}}), &log) | branch_test({.horizon = 4000});
  int tried = 0;
  event told = event::none;
  for (int step = 0; step < 1000; ++step) {
    suggestion const& s = tuner.ask();
    bool const marks = has(s.state, training_state::mark_trial);
    tried += s.why == reason::range_test ? 1 : 0;
    told |= s.events;
    CHECK_FALSE(has(s.state, training_state::return_to_trial));
    CHECK(has(s.state, training_state::drop_trial) == has(s.events, event::range_test_ended));
    CHECK_THAT(s.values["lr"], WithinRel(0.2, 1e-9));
    tuner.tell({.metric = training.step(s.values["lr"]), .restorable = !marks});
  }
  CHECK(tried == 1);
  CHECK(told == (event::range_test_began | event::range_test_ended | event::not_restorable));
  double all = 0.0;
  for (double const steps : log.steps) all += steps;
  CHECK(all == 1000.0);
}

TEST_CASE("branches end where something else sets the value, and leave it alone from there") {
  course log;
  noisy_quadratic training(4);
  noisy_quadratic::weights saved{};
  auto tuner = following(space().at({{"lr", 0.2}}), &log) | branch_test({.horizon = 4000});
  int tried = 0, returns = 0;
  for (int step = 0; step < 1000; ++step) {
    suggestion const& s = tuner.ask();
    if (has(s.state, training_state::return_to_trial)) {
      training.restore(saved);
      ++returns;
      CHECK(has(s.events, event::range_test_ended));
      CHECK(has(s.state, training_state::drop_trial));
      CHECK(s.values["lr"] == 0.2);
    }
    if (has(s.state, training_state::mark_trial)) saved = training.state();
    tried += s.why == reason::range_test ? 1 : 0;
    configuration applied = s.values;
    applied.assign(0, 0.2);
    tuner.tell({.metric = training.step(0.2), .applied = applied.values(), .restorable = true});
  }
  CHECK(returns == 1);
  CHECK(tried == 4);
  double all = 0.0;
  for (double const steps : log.steps) all += steps;
  CHECK(all == 1000.0);
}

TEST_CASE("what ran in a branch in the wrong size is an error") {
  noisy_quadratic training(4);
  auto tuner = following(space().at({{"lr", 0.2}})) | branch_test({.horizon = 4000});
  while (tuner.ask().why != reason::range_test) {
    tuner.tell({.metric = training.step(tuner.ask().values["lr"]), .restorable = true});
  }
  std::vector<double> const three(3, 0.2);
  CHECK_THROWS_AS(tuner.tell({.metric = 1.0, .applied = three, .restorable = true}), invalid_option);
}

TEST_CASE("in a run too short for branches the stage passes on all that it is told, and all that is suggested") {
  course plain, passed;
  auto without = following(space().at({{"lr", 1e-3}}), &plain) | range_test({.horizon = 500});
  auto with =
      following(space().at({{"lr", 1e-3}}), &passed) | branch_test({.horizon = 100}) | range_test({.horizon = 500});
  noisy_quadratic training(6), same(6);
  trained const first = run(without, training, 500), second = run(with, same, 500);
  REQUIRE(first.all.size() == second.all.size());
  for (std::size_t i = 0; i < first.all.size(); ++i) {
    suggestion const &a = first.all[i], &b = second.all[i];
    CHECK(a.values == b.values);
    CHECK(std::tuple(a.number, a.why, a.events, a.state) == std::tuple(b.number, b.why, b.events, b.state));
  }
  CHECK(plain.applied == passed.applied);
  CHECK(plain.steps == passed.steps);
  CHECK(plain.relocated == passed.relocated);
  CHECK(training.state() == same.state());
}

TEST_CASE("a branch test refuses what cannot be") {
  CHECK_THROWS_AS(branch_test({.at = 2.0}), invalid_option);
  CHECK_THROWS_AS(branch_test({.budget = -1.0}), invalid_option);
  CHECK_THROWS_AS(branch_test({.tolerance = 0.0}), invalid_option);
  CHECK_THROWS_AS(branch_test({.back_off = 0.0}), invalid_option);
  CHECK_THROWS_AS(branch_test({.least_steps = 1}), invalid_option);
  search_space const whole{integer{"lr", 1, 100}};
  auto tuner = following(whole.center()) | branch_test({.horizon = 4000});
  CHECK_THROWS_AS(tuner.ask(), invalid_option);
}

TEST_CASE("where metrics are too rare to tell branches apart, the value stays") {
  noisy_quadratic training(1, 0.1);
  auto tuner = following(space().at({{"lr", 0.1}})) | branch_test({.horizon = 4000});
  double last = 0.0;
  for (int step = 0; step < 1000; ++step) {
    suggestion const& s = tuner.ask();
    last = s.values["lr"];
    double const loss = training.step(last);
    if (step % 50 == 0)
      tuner.tell({.metric = loss, .restorable = true});
    else
      tuner.tell({.result = outcome::skipped, .restorable = true});
  }
  CHECK_THAT(last, WithinRel(0.1, 1e-12));
}

TEST_CASE("a step of a branch allocates nothing") {
  noisy_quadratic training(6);
  auto tuner = following(space().center()) | branch_test({.horizon = 4000});
  for (int step = 0; step < 10; ++step) {
    tuner.tell({.metric = training.step(tuner.ask().values["lr"]), .restorable = true});
  }
  support::allocation_count count;
  for (int step = 0; step < 900; ++step) {
    tuner.tell({.metric = training.step(tuner.ask().values["lr"]), .restorable = true});
  }
  CHECK(count.since() == 0);
}

TEST_CASE(
    "where training goes on well and no branch is too far, the highest it is; where it never began, nothing moves") {
  for (bool const trains : {true, false}) {
    double const start = 0.01;
    auto tuner = following(space().at({{"lr", start}})) | branch_test({.horizon = 4000});
    double landed = 0.0;
    for (int step = 0; step < 1000; ++step) {
      suggestion const& s = tuner.ask();
      if (has(s.events, event::range_test_ended)) landed = s.values["lr"];
      double const noise = 0.02 * static_cast<double>((step * 7919) % 11) / 11.0;
      double const level = trains ? 1.0 / (1.0 + 0.1 * std::min(step, 300)) : 1.0 - (step < 300 ? 0.0 : 1e-3);
      tuner.tell({.metric = level + noise, .restorable = true});
    }
    if (trains)
      CHECK_THAT(landed, WithinRel(0.8 * 16.0 * start));
    else
      CHECK((landed == 0.0 || landed == start));
  }
}
