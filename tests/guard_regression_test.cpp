#include <algorithm>
#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "support/random_stream.hpp"

import autotunenet;
import autotunenet.testing;
import support.guarded;

using namespace autotunenet;
using namespace support;

// What counts as a regression, and for how long a record stands.

TEST_CASE("patience counts regressions in a row") {
  auto options = strict();
  options.patience = 3;
  auto tuner = climbing() | guard(options);
  std::vector<double> const waves = {10.0, 5.0, 5.0, 5.0, 5.0, 5.0, 9.0, 9.0, 5.0, 9.0, 9.0, 5.0};
  auto const made = run(tuner, waves);
  CHECK(count(made, event::regressed) == 4);
  CHECK(count(made, event::rolled_back) == 0);
}

TEST_CASE("an epoch that lost what was gained counts at once, and two of them are enough") {
  auto const told = [](coverage covers, std::size_t lost) {
    auto tuner = climbing() | guard();
    std::vector<double> metrics = times(20, 1.0);
    for (std::size_t i = 0; i < metrics.size(); ++i)
      metrics[i] = 10.0 - 0.4 * static_cast<double>(i) + (i % 2 == 0 ? 0.05 : -0.05);
    metrics = metrics + times(lost, 9.0);
    event events = event::none;
    for (double const metric : metrics) {
      tuner.ask();
      tuner.tell({.metric = metric, .restorable = true, .covers = covers});
      events |= tuner.ask().events;
    }
    return events;
  };
  CHECK_FALSE(has(told(coverage::epoch, 1), event::rolled_back));
  CHECK(has(told(coverage::epoch, 2), event::rolled_back));
  CHECK_FALSE(has(told(coverage::step, 4), event::rolled_back));
  CHECK(has(told(coverage::step, 20), event::rolled_back));
}

TEST_CASE("a metric that swings with the order of batches is no endless trouble") {
  auto tuner = climbing() | guard();
  std::mt19937_64 engine(5);
  std::normal_distribution<double> noise(0.0, 0.1);
  int remedies = 0;
  for (int step = 0; step < 4000; ++step) {
    double const swing = std::sin(step * 0.2);  // thirty-one batches
    tuner.ask();
    tuner.tell({.metric = 3.0 + swing + noise(engine), .restorable = true, .covers = coverage::step});
    remedies += has(tuner.ask().events, event::rolled_back | event::backed_off) ? 1 : 0;
  }
  CHECK(remedies <= 5);
}

TEST_CASE("metrics between the tuner's steps reach the guard") {
  auto tuner = climbing() | every(5) | guard(strict());
  run(tuner, times(7, 1.0));
  tuner.tell(quiet_nan);
  CHECK(tuner.ask().why == reason::rollback);
  std::size_t acted = 0;
  for (int i = 0; i < 60; ++i) {
    tuner.tell(quiet_nan);
    acted += has(tuner.ask().events, event::failed) ? 1 : 0;
  }
  CHECK(acted == 60);
}

TEST_CASE("noise is not a regression, even where nothing was gained yet") {
  for (std::size_t const window : {1U, 2U, 5U, 20U}) {
    random_stream random(window);
    auto tuner = climbing() | guard({.window = window});
    std::size_t remedies = 0;
    for (int i = 0; i < 20'000; ++i) {
      remedies += has(tuner.ask().events, event::cooldown_began) ? 1 : 0;
      tuner.tell(5.0 + random.gauss());
    }
    INFO("window " << window);
    CHECK(remedies <= 1);
  }
}

TEST_CASE("a clear loss in noise is a regression") {
  for (std::size_t const window : {2U, 5U, 20U}) {
    random_stream random(window);
    auto tuner = climbing() | guard({.window = window});
    for (int i = 0; i < 200; ++i) {
      tuner.ask();
      tuner.tell(5.0 - 0.01 * i + 0.1 * random.gauss());
    }
    int late = 0;
    for (; late < 100 && tuner.ask().why != reason::rollback; ++late) tuner.tell(4.5 + 0.1 * random.gauss());
    INFO("window " << window);
    CHECK(late <= static_cast<int>(window) + 4);
  }
}

TEST_CASE("training that gets rough as it comes apart is a regression all the same") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    random_stream random(seed);
    auto tuner = climbing() | guard();
    for (int i = 0; i < 60; ++i) {
      tuner.ask();
      tuner.tell(2.3 - 0.02 * i + 0.1 * random.gauss());
    }
    int late = 0;
    for (; late < 100 && tuner.ask().why != reason::rollback; ++late) {
      double const spike = late % 3 == 0 ? 3.0 * random.uniform() : 0.0;
      tuner.tell(std::min(1.1 + 0.06 * late, 2.3) + spike + 0.1 * random.gauss());
    }
    INFO("seed " << seed << " after " << late);
    CHECK(late <= 40);
  }
}

TEST_CASE("a single outlier is no regression, and makes the guard neither deaf nor harder to please") {
  for (double const outlier : {1e6, -1e6}) {
    random_stream random(2);
    auto tuner = climbing() | guard();
    std::vector<double> metrics;
    for (int i = 0; i < 100; ++i) metrics.push_back(3.0 - 0.01 * i + 0.05 * random.gauss());
    metrics[60] = outlier;
    auto const made = run(tuner, metrics);
    CHECK(count(made, event::cooldown_began) == 0);
    int late = 0;
    for (; late < 100 && tuner.ask().why != reason::rollback; ++late) tuner.tell(3.0 + 0.05 * random.gauss());
    CHECK(late < 12);
  }
}

TEST_CASE("a constant metric never regresses by rounding") {
  for (double const level : {0.1, -0.1, 1e300, 1e-310, 0.0}) {
    auto options = strict();
    options.window = 7;
    auto tuner = climbing() | guard(options);
    CHECK(count(run(tuner, times(500, level)), event::regressed) == 0);
  }
}

TEST_CASE("a regression is reckoned against the gain, whatever the metric's sign") {
  for (double const shift : {100.0, 0.0, -100.0}) {
    auto tuner = climbing() | guard(strict());
    auto const made = run(tuner, {shift + 10.0, shift + 0.0, shift + 1.9, shift + 2.1});
    CHECK_FALSE(has(made[3].events, event::regressed));
    CHECK(has(made[4].events, event::regressed));
  }
}

TEST_CASE("an old record is forgotten after `recall` averages") {
  auto options = strict();
  options.patience = 100;
  options.recall = 5;
  auto tuner = climbing() | guard(options);
  auto const made = run(tuner, std::vector{1.0, 0.0} + times(10, 1.0));
  CHECK(has(made[6].events, event::regressed));
  CHECK_FALSE(has(made[8].events, event::regressed));
}

TEST_CASE("metrics from before a rollback do not count after it") {
  auto options = strict();
  options.window = 5;
  auto tuner = climbing() | guard(options);
  auto const fall = times(4, 10.0) + times(12, 7.0);
  auto const made = run(tuner, fall + times(5, 50.0), true);
  std::size_t at = fall.size();
  while (at < made.size() && made[at].why != reason::rollback) ++at;
  REQUIRE(at < made.size());
  auto again = climbing() | guard(options);
  auto const after = run(again, fall + times(at - fall.size(), 50.0) + times(15, 7.0), true);
  for (std::size_t i = at + 1; i < after.size(); ++i) {
    CHECK_FALSE(has(after[i].events, event::regressed));
    CHECK_FALSE(has(after[i].events, event::rebased));
  }
}

// Cooldown.

TEST_CASE("when remedies do not help, the metric has moved and is judged from its new level") {
  for (bool const restorable : {false, true}) {
    auto tuner = climbing() | guard(strict());
    auto const made = run(tuner, {10.0, 9.0, 8.0, 7.0}, restorable);
    std::size_t rebased = 0;
    std::size_t remedies = 0;
    for (int i = 0; i < 60; ++i) {
      tuner.tell({.metric = 50.0, .restorable = restorable});
      rebased += has(tuner.ask().events, event::rebased) ? 1 : 0;
      remedies += has(tuner.ask().events, event::cooldown_began) ? 1 : 0;
    }
    CHECK(rebased == 1);
    CHECK(remedies == (restorable ? 1 : 2));
    CHECK(tuner.ask().why == reason::explore);
    tuner.tell(60.0);
    tuner.ask();
    tuner.tell(60.0);
    CHECK(tuner.ask().why == reason::rollback);
  }
}

TEST_CASE("a metric that recovers after the rollback is judged by its old record") {
  auto tuner = climbing() | guard(strict());
  std::vector<double> const fall = {10.0, 9.0, 8.0, 7.6, 7.3, 7.0};
  auto const made = run(tuner, fall + times(2, 20.0) + times(40, 7.0) + times(2, 20.0), true);
  CHECK(count(made, event::rebased) == 0);
  CHECK(count(made, event::rolled_back) == 2);
}

TEST_CASE("the metric's level is never rebased onto NaN") {
  auto tuner = climbing() | guard(strict());
  auto const made = run(tuner, std::vector{10.0, 9.0, 8.0, 7.0} + times(50, quiet_nan), true);
  CHECK(count(made, event::rebased) == 0);
}
