#include <algorithm>
#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <cmath>
#include <coroutine>
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
using Catch::Matchers::WithinRel;

// Regression, patience, rollback.

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

TEST_CASE("in cooldown the configuration is held, and regressions do not roll back") {
  auto tuner = climbing() | guard(strict());
  auto const made = run(tuner, {10.0, 9.0, 8.0, 7.0, quiet_nan, 50.0, 50.0, 50.0});
  CHECK(made[5].why == reason::rollback);
  for (std::size_t const i : {6U, 7U}) {
    CHECK(made[i].why == reason::cooldown);
    CHECK(made[i].values == made[5].values);
    CHECK(has(made[i].events, event::regressed));
  }
  CHECK(has(made[8].events, event::cooldown_ended));
  CHECK(made[8].why == reason::explore);
}

TEST_CASE("nothing bad becomes good in a cooldown") {
  for (double const bad : {1e6, 30.0}) {
    auto options = strict();
    options.cooldown = 20;
    auto tuner = climbing() | guard(options);
    auto const made = run(tuner, std::vector{10.0, 9.0, 8.0, 7.0, quiet_nan} + times(15, bad) + std::vector{quiet_nan});
    std::size_t promotions = 0;
    for (std::size_t i = 6; i < made.size(); ++i) promotions += has(made[i].events, event::became_good) ? 1 : 0;
    CHECK(promotions == 0);
    CHECK(made.back().why == reason::back_off);
  }
}

TEST_CASE("NaN acts in a cooldown too") {
  auto tuner = climbing() | guard(strict());
  auto const made = run(tuner, {10.0, 9.0, 8.0, 7.0, quiet_nan, 7.0, quiet_nan});
  CHECK(made[5].why == reason::rollback);
  CHECK(made[6].why == reason::cooldown);
  CHECK(made[7].why == reason::back_off);
  CHECK(has(made[7].events, event::failed));
}

TEST_CASE("without a cooldown the tuner goes on right after a rollback") {
  auto options = strict();
  options.cooldown = 0;
  auto tuner = climbing() | guard(options);
  auto const made = run(tuner, {10.0, 9.0, 8.0, 7.0, quiet_nan, 7.0});
  CHECK(made[5].why == reason::rollback);
  CHECK_FALSE(has(made[5].events, event::cooldown_began));
  CHECK(made[6].why == reason::explore);
}

// Back-off.

TEST_CASE("with nothing good known the guard backs off, further each time, and never below the bounds") {
  auto tuner = climbing() | guard({.back_off = 0.1});
  auto const made = run(tuner, times(6, quiet_nan));
  CHECK_THAT(made[1].values["lr"], WithinRel(1e-4, 1e-12));
  CHECK_THAT(made[2].values["lr"], WithinRel(1e-5, 1e-12));
  CHECK(made[6].values["lr"] == 1e-5);
  CHECK(made[6].why == reason::back_off);
  CHECK(has(made[6].events, event::backed_off));
}

TEST_CASE("back-offs that do not help grow, so that no start is too many halvings away") {
  auto tuner = scripted(search_space{real{"lr", 1e-12, 100.0, scale::log}}.at({{"lr", 100.0}}), [](suggestion&) {}) |
               guard({.cooldown = 0});
  auto const made = run(tuner, times(8, quiet_nan));
  double expected = 100.0;
  std::size_t const halvings[] = {1, 1, 1, 2, 4, 8, 8};
  for (std::size_t i = 0; i < std::size(halvings); ++i) {
    expected *= std::pow(0.5, halvings[i]);
    CHECK_THAT(made[i + 1].values["lr"], WithinRel(expected, 1e-12));
  }
}

TEST_CASE("each back-off goes further than the last, wherever the tuner went in between") {
  auto tuner = climbing() | guard({.cooldown = 0});
  auto const made = run(tuner, {quiet_nan, 1.0, 1.0, 1.0, quiet_nan});
  CHECK(made[1].values["lr"] == 0.5e-3);
  REQUIRE(made[4].values["lr"] > 0.5e-3);
  CHECK(made[5].values["lr"] == 0.25e-3);
  auto falling = scripted(start(),
                          [](suggestion& next) {
                            next.why = reason::explore;
                            next.values.assign(0, 1e-5);
                          }) |
                 guard({.max_delta = 100.0, .cooldown = 0});
  auto const lower = run(falling, {1.0, quiet_nan, 1.0, quiet_nan});
  CHECK(lower[4].values["lr"] == 1e-5);
}

TEST_CASE("when training suffers again before anything new became good, the guard backs off from the good one") {
  auto tuner = climbing() | guard(strict());
  auto const made = run(tuner, {10.0, 9.0, 8.0, 7.0, quiet_nan, quiet_nan, quiet_nan});
  CHECK(made[5].why == reason::rollback);
  CHECK(made[6].why == reason::back_off);
  CHECK(made[6].values["lr"] == 0.5 * made[5].values["lr"]);
  CHECK(made[7].values["lr"] == 0.25 * made[5].values["lr"]);
}

TEST_CASE("once something new became good, the guard rolls back again") {
  auto tuner = climbing() | guard(strict());
  auto const made = run(tuner, {10.0, 9.0, 8.0, 7.0, quiet_nan, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, quiet_nan});
  CHECK(made[5].why == reason::rollback);
  CHECK(made[12].why == reason::rollback);
}

TEST_CASE("a regression that comes again before training has come further is met with lower values") {
  auto const second_remedy = [](double reached, std::vector<double> const& trouble) {
    auto tuner = climbing() | guard(strict());
    auto const made = run(tuner, std::vector{10.0, 9.0, 8.0, 7.0, 50.0, 50.0} + times(8, reached) + trouble);
    REQUIRE(made[6].why == reason::rollback);
    REQUIRE(count(made, event::became_good) >= 2);
    return made.back();
  };
  suggestion const again = second_remedy(7.1, {50.0, 50.0});
  CHECK(again.why == reason::back_off);
  CHECK(again.values["lr"] == 0.5 * start()["lr"]);
  CHECK(second_remedy(7.0, {50.0, 50.0}).why == reason::rollback);
  CHECK(second_remedy(7.1, {quiet_nan}).why == reason::rollback);  // may have any cause
}

TEST_CASE("back-off finds a parameter in a group by its own name, and others by option") {
  search_space const groups{real{"encoder.lr", 1e-4, 1e-1, scale::log}, real{"sublr", 1e-4, 1e-1, scale::log},
                            real{"temperature", 1.0, 5.0}};
  configuration const values = groups.at({{"encoder.lr", 0.01}, {"sublr", 0.01}, {"temperature", 3.0}});
  auto by_default = steady(values) | guard();
  auto const made = run(by_default, {quiet_nan});
  CHECK(made[1].values["encoder.lr"] == 0.005);
  CHECK(made[1].values["sublr"] == values["sublr"]);
  CHECK(made[1].values["temperature"] == 3.0);
  auto by_name = steady(values) | guard({.safety = {"temperature"}});
  auto const named = run(by_name, {quiet_nan});
  CHECK(named[1].values["encoder.lr"] == values["encoder.lr"]);
  CHECK(named[1].values["temperature"] == 2.0);
}

TEST_CASE("a space without a parameter known to be safer when smaller backs off towards its middle") {
  search_space const other{real{"momentum", 0.0, 1.0}, categorical{"kind", {"a", "b"}}};
  auto tuner = steady(other.at({{"momentum", 0.9}, {"kind", 1}})) | guard();
  auto const made = run(tuner, {quiet_nan, quiet_nan});
  CHECK_THAT(made[1].values["momentum"], WithinRel(0.7, 1e-12));
  CHECK_THAT(made[2].values["momentum"], WithinRel(0.6, 1e-12));
  CHECK(made[2].values.chosen("kind") == category{"b"});
}

// Data that shifts.

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
