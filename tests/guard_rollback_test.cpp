#include <catch2/catch_test_macros.hpp>
#include <vector>

import autotunenet;
import autotunenet.testing;
import support.guarded;

using namespace autotunenet;
using namespace support;

// Where a rollback leads, and what it does to the run.

TEST_CASE("a rollback restores the last good configuration exactly") {
  auto tuner = climbing() | guard(strict());
  auto const made = run(tuner, {10.0, 9.0, 8.0, 7.0, 20.0, 20.0});
  CHECK(has(made[3].events, event::became_good));
  CHECK(has(made[5].events, event::regressed));
  CHECK(made[5].why == reason::explore);
  CHECK(made[6].why == reason::rollback);
  CHECK(has(made[6].events, event::rolled_back));
  CHECK(has(made[6].events, event::cooldown_began));
  CHECK(made[6].values == made[0].values);
}

TEST_CASE("a rollback reaches its target in one step, however far it is") {
  auto options = strict();
  options.max_delta = 0.25;
  options.patience = 10;
  auto script = [](suggestion& next) {
    next.why = reason::explore;
    if (next.number > 4) next.values.assign(0, 1.0);
  };
  auto tuner = scripted(start(), script) | guard(options);
  auto const made = run(tuner, times(20, 1.0) + std::vector{quiet_nan});
  REQUIRE(made[20].values["lr"] > 30.0 * made[0].values["lr"]);
  CHECK(made[21].why == reason::rollback);
  CHECK(made[21].values == made[0].values);
}

TEST_CASE("the first bad step never becomes the rollback target") {
  auto options = strict();
  auto script = [](suggestion& next) {
    next.why = reason::explore;
    if (next.number == 7) next.values.assign(0, 1.4e-3);
  };
  auto tuner = scripted(start(), script) | guard(options);
  auto const made = run(tuner, {10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 50.0, 50.0});
  REQUIRE(made[6].values["lr"] == 1.4e-3);
  REQUIRE(made[8].why == reason::rollback);
  CHECK(made[8].values["lr"] == 1e-3);
}

TEST_CASE("a configuration whose harm shows late is not good either") {
  auto options = strict();
  options.patience = 3;
  auto script = [](suggestion& next) {
    next.why = reason::explore;
    if (next.number == 9) next.values.assign(0, 1.4e-3);
  };
  auto tuner = scripted(start(), script) | guard(options);
  std::vector<double> metrics{10.0, 9.0, 8.0, 7.0, 6.0, 5.5, 5.0, 4.9, 4.8, 4.7, 50.0, 50.0, 50.0};
  auto const made = run(tuner, metrics);
  REQUIRE(made[8].values["lr"] == 1.4e-3);
  REQUIRE(made[13].why == reason::rollback);
  CHECK(made[13].values["lr"] == 1e-3);
}

TEST_CASE("a guard of epochs has a good state after each third of them to go back to") {
  auto tuner = steady(start()) | guard();
  int marks = 0;
  for (int epoch = 0; epoch < 30; ++epoch) {
    marks += has(tuner.ask().state, training_state::mark_candidate) ? 1 : 0;
    tuner.tell({.metric = 10.0 - 0.1 * epoch, .restorable = true, .covers = coverage::epoch});
  }
  CHECK(marks >= 9);
}

TEST_CASE("a failing stretch is told to the tuner as failed, and the steps after the rollback are told too") {
  support::log told;
  auto tuner = climbing(&told) | guard(strict());
  auto const made = run(tuner, {10.0, 9.0, 8.0, 7.0, 20.0, 20.0, 6.9, 6.8, 6.7});
  REQUIRE(told.size() == 9);
  CHECK(told[4].seen.result == outcome::measured);
  CHECK(told[5].seen.result == outcome::failed);
  CHECK(told[5].applied[0] == made[5].values["lr"]);
  CHECK(told[6].seen.metric == 6.9);
  CHECK(told[6].applied[0] == made[0].values["lr"]);
  CHECK(told[8].seen.usable());
}

TEST_CASE("a failure rolls back at once") {
  for (observation const& failure :
       {observation{.metric = quiet_nan}, observation{.metric = infinity}, observation{.metric = -infinity},
        observation{.metric = 1.0, .result = outcome::failed}}) {
    support::log told;
    auto tuner = climbing(&told) | guard(strict());
    auto const before = run(tuner, {10.0, 9.0, 8.0, 7.0});
    tuner.tell(failure);
    CHECK(tuner.ask().why == reason::rollback);
    CHECK(has(tuner.ask().events, event::failed));
    CHECK(tuner.ask().values == before[0].values);
    CHECK(told.back().seen.result == outcome::failed);
  }
}

TEST_CASE("one NaN acts once and is gone from the window") {
  auto tuner = climbing() | guard({.window = 5, .patience = 2, .cooldown = 4});
  auto const made = run(tuner, times(12, 1.0) + std::vector{quiet_nan} + times(20, 1.0));
  CHECK(count(made, event::rolled_back) == 1);
  CHECK(count(made, event::backed_off) == 0);
  CHECK(count(made, event::regressed) == 0);
  CHECK(made.back().why == reason::explore);
}

TEST_CASE("a first metric that is NaN or infinite leaves the guard awake") {
  for (double const first : {quiet_nan, infinity, -infinity}) {
    auto tuner = climbing() | guard(strict());
    auto const made = run(tuner, {first, 10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 50.0, 50.0});
    CHECK(made[1].why == reason::back_off);
    CHECK(count(made, event::became_good) > 0);
    CHECK(made[9].why == reason::rollback);
  }
}

TEST_CASE("skipped observations change nothing") {
  auto tuner = climbing() | guard(strict());
  run(tuner, {10.0, 9.0, 8.0, 7.0, 20.0});
  for (int i = 0; i < 5; ++i) {
    tuner.tell({.metric = quiet_nan, .result = outcome::skipped});
    CHECK(tuner.ask().why == reason::explore);
    CHECK(tuner.ask().events == event::none);
  }
  tuner.tell(20.0);
  CHECK(tuner.ask().why == reason::rollback);
}
