#include <algorithm>
#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "support/allocations.hpp"
#include "support/random_stream.hpp"

import autotunenet;
import autotunenet.testing;

using namespace autotunenet;
using namespace support;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::WithinRel;

namespace {

search_space space() {
  return {real{"lr", 1e-5, 1.0, scale::log}, real{"weight_decay", 0.0, 0.1}, integer{"layers", 1, 100},
          categorical{"activation", {"relu", "tanh", "gelu"}}};
}
configuration start() { return space().at({{"lr", 1e-3}, {"weight_decay", 0.0}, {"layers", 1}, {"activation", 0}}); }

/// Judges each metric by itself: any loss beyond a fifth of the gain is a regression.
guard_options strict() { return {.noise_margin = 0.0, .window = 1, .patience = 2, .cooldown = 3}; }

/// A tuner that raises the rate by a quarter with each suggestion.
suggestions climbing(support::log* told = nullptr) {
  auto script = [](suggestion& next) {
    next.why = reason::explore;
    next.values.assign(0, next.values[0] * 1.25);
  };
  return scripted(start(), script, told);
}
/// A tuner that wants one far configuration from the second suggestion on.
suggestions jumping(configuration to, support::log* told = nullptr) {
  auto script = [to](suggestion& next) {
    next.why = reason::explore;
    next.values = to;
  };
  return scripted(start(), script, told);
}

std::size_t count(std::vector<suggestion> const& made, event what) {
  std::size_t n = 0;
  for (suggestion const& s : made) n += has(s.events, what) ? 1 : 0;
  return n;
}

}  // namespace

TEST_CASE("suggestions of a guarded tuner count up from 1, whatever the tuner's own numbers") {
  auto tuner = scripted(start(), [](suggestion& next) { next.number += 10; }) | guard();
  auto const made = run(tuner, times(5, 1.0));
  for (std::size_t i = 0; i < made.size(); ++i) CHECK(made[i].number == i + 1);
  CHECK(made[0].why == reason::start);
}

// Bounded steps.

TEST_CASE("a step on a log scale is bounded by ratio, up and down") {
  auto up = jumping(space().at({{"lr", 1.0}})) | guard({.max_delta = 0.5});
  CHECK_THAT(run(up, {1.0})[1].values["lr"], WithinRel(1.5e-3, 1e-12));
  auto down = jumping(space().at({{"lr", 1e-5}})) | guard({.max_delta = 0.5});
  auto const made = run(down, {1.0});
  CHECK_THAT(made[1].values["lr"], WithinRel(1e-3 / 1.5, 1e-12));
  CHECK(has(made[1].events, event::clamped));
  CHECK(made[1].why == reason::explore);
}

TEST_CASE("a parameter at zero can move") {
  auto tuner = jumping(space().at({{"weight_decay", 0.1}})) | guard({.max_delta = 0.5});
  auto const made = run(tuner, times(20, 1.0));
  CHECK_THAT(made[1].values["weight_decay"], WithinRel(0.005, 1e-12));
  CHECK(made.back().values["weight_decay"] == 0.1);
}

TEST_CASE("a step on a linear scale is bounded by the value's own size") {
  search_space const linear{real{"x", -10.0, 10.0}};
  auto to = [&](double x) { return linear.at({{"x", x}}); };
  auto tuner = scripted(to(-8.0), [&](suggestion& next) { next.values = to(10.0); }) | guard({.max_delta = 0.25});
  CHECK(run(tuner, {1.0})[1].values["x"] == -6.0);
}

TEST_CASE("whole numbers can always move by one, and stay whole") {
  auto tuner = jumping(space().at({{"layers", 100}})) | guard({.max_delta = 0.01});
  auto const made = run(tuner, times(4, 1.0));
  CHECK(made[1].values["layers"] == 2.0);
  CHECK(made[2].values["layers"] == 3.0);
  search_space const logarithmic{integer{"batch", 1, 1024, scale::log}};
  auto to = [&](double x) { return logarithmic.at({{"batch", x}}); };
  auto wide = scripted(to(10), [&](suggestion& next) { next.values = to(1024); }) | guard({.max_delta = 0.59});
  CHECK(run(wide, {1.0})[1].values["batch"] == 15.0);
}

TEST_CASE("a category changes freely, by whole choices, and never leaves its list") {
  auto tuner = jumping(space().at({{"activation", 2}})) | guard({.max_delta = 0.01});
  auto const made = run(tuner, {1.0});
  CHECK(made[1].values[3] == 2.0);
  CHECK(made[1].values.chosen("activation") == category{"gelu"});
}

TEST_CASE("categories that are words pass through every decision of the guard") {
  auto options = strict();
  options.patience = 1;
  auto tuner = jumping(space().at({{"activation", 1}})) | guard(options);
  auto const made = run(tuner, {3.0, 2.0, quiet_nan, quiet_nan, 2.0});
  CHECK(made[1].values.chosen("activation") == category{"tanh"});
  CHECK(made[3].why == reason::rollback);
  CHECK(made[3].values.chosen("activation") == category{"relu"});
}

TEST_CASE("the middle of a learning rate's range is its geometric middle, and the reach around it is even in ratio") {
  search_space const rates{real{"lr", 1e-4, 1e-1, scale::log}};
  CHECK_THAT(rates.center()["lr"], WithinRel(std::sqrt(1e-5), 1e-12));
  support::log told;
  auto tuner = steady(rates.center(), &told) | guard({.max_delta = 1.0});
  run(tuner, {1.0});
  CHECK_THAT(rates.from_unit(0, told[0].upper[0]) / rates.center()["lr"], WithinRel(2.0, 1e-9));
  CHECK_THAT(rates.center()["lr"] / rates.from_unit(0, told[0].lower[0]), WithinRel(2.0, 1e-9));
}

TEST_CASE("a start outside the bounds is brought inside at once") {
  search_space const rates{real{"lr", 1e-4, 1e-1, scale::log}};
  for (double const outside : {50.0, 1e-9, -3.0, infinity}) {
    auto tuner = steady(rates.center()) | guard({.warm_up = 3});
    tuner.ask();
    tuner.tell({.metric = 1.0, .applied = std::span(&outside, 1)});
    CHECK(tuner.ask().values["lr"] == (outside > 1.0 ? 1e-1 : 1e-4));
  }
}

TEST_CASE("applied values that are NaN are neither kept nor passed on") {
  search_space const rates{real{"lr", 1e-4, 1e-1, scale::log}};
  support::log told;
  auto tuner = steady(rates.center(), &told) | guard();
  tuner.ask();
  tuner.tell({.metric = 1.0, .applied = std::span(&quiet_nan, 1)});
  CHECK(tuner.ask().values["lr"] == rates.center()["lr"]);
  CHECK(told[0].applied[0] == rates.center()["lr"]);
}

TEST_CASE("the next step is reckoned from what was applied, not from what was suggested") {
  auto tuner = jumping(space().at({{"lr", 1.0}})) | guard({.max_delta = 0.5});
  tuner.ask();
  double const applied[] = {1e-4, 0.0, 1.0, 0.0};
  tuner.tell({.metric = 1.0, .applied = applied});
  CHECK_THAT(tuner.ask().values["lr"], WithinRel(1.5e-4, 1e-12));
}

TEST_CASE("the tuner is told what was applied, not what it wanted") {
  support::log told;
  auto tuner = jumping(space().at({{"lr", 1.0}}), &told) | guard({.max_delta = 0.5});
  auto const made = run(tuner, {1.0, 1.0, 1.0});
  REQUIRE(told.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(told[i].applied == std::vector(made[i].values.values().begin(), made[i].values.values().end()));
  }
  CHECK_THAT(told[1].applied[0], WithinRel(1.5e-3, 1e-12));
}

TEST_CASE("a tuner that stays within its reach is never clamped") {
  random_stream random(4);
  std::vector<double> lower(4, 0.0);
  std::vector<double> upper(4, 1.0);
  support::log told;
  auto script = [&](suggestion& next) {
    for (std::size_t i = 0; i < 4; ++i) {
      double const unit = random.between(told.back().lower[i], told.back().upper[i]);
      next.values.assign(i, space().from_unit(i, random.chance(0.2) ? told.back().upper[i] : unit));
    }
    next.why = reason::explore;
  };
  configuration wanted;
  auto tuner = scripted(start(), script, &told) | guard({.max_delta = 0.3});
  auto const made = run(tuner, times(300, 1.0));
  CHECK(count(made, event::clamped) == 0);
  CHECK(made[200].values[0] != made[201].values[0]);
}

TEST_CASE("when nothing is due, what ran is kept") {
  auto script = [](suggestion& next) { next.why = reason::hold; };
  auto tuner = scripted(start(), script) | guard();
  tuner.ask();
  double const applied[] = {2e-3, 0.01, 3.0, 1.0};
  tuner.tell({.metric = 1.0, .applied = applied});
  CHECK(std::ranges::equal(tuner.ask().values.values(), applied));
  CHECK(tuner.ask().why == reason::hold);
}

// Warm-up.

TEST_CASE("warm-up holds the first configuration for that many usable observations") {
  auto tuner = climbing() | guard({.warm_up = 3});
  tuner.ask();
  tuner.tell({.metric = 1.0, .result = outcome::skipped});
  auto const made = run(tuner, times(4, 1.0));
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(made[i].why == reason::warm_up);
    CHECK(made[i].values == start());
  }
  CHECK(made[3].why == reason::explore);
  CHECK(has(made[3].events, event::warm_up_ended));
  CHECK(made[3].values["lr"] > 1e-3);
}

TEST_CASE("the warm-up gate waits for a smoothed metric that is good enough") {
  auto tuner = climbing() | guard({.warm_up_metric = 1.0, .window = 2});
  auto const made = run(tuner, {5.0, 4.0, 0.9, 0.9, 0.9});
  CHECK(made[3].why == reason::warm_up);
  CHECK(made[4].why == reason::explore);
  CHECK(count(made, event::warm_up_ended) == 1);
}

TEST_CASE("the warm-up gate opens once: a metric that falls behind it later is judged like any other") {
  auto options = strict();
  options.warm_up_metric = 1.0;
  auto tuner = climbing() | guard(options);
  auto const made = run(tuner, {2.0, 0.9, 0.8, 0.7, 0.6, 5.0, 5.0, 5.0});
  CHECK(made[2].why == reason::explore);
  CHECK(has(made[6].events, event::regressed));
  CHECK(made[7].why == reason::rollback);
}

TEST_CASE("regressions are not judged in warm-up, but failures act") {
  auto options = strict();
  options.warm_up = 20;
  auto tuner = climbing() | guard(options);
  auto const made = run(tuner, {1.0, 100.0, 1000.0, 1e4, quiet_nan});
  CHECK(count(made, event::regressed) == 0);
  CHECK(made[4].why == reason::warm_up);
  CHECK(made[5].why == reason::back_off);
  CHECK(made[5].values["lr"] == 0.5e-3);
}

TEST_CASE("what follows warm-up is judged from the level at its end") {
  auto options = strict();
  options.warm_up = 3;
  auto tuner = climbing() | guard(options);
  auto const made = run(tuner, {1.0, 100.0, 100.0, 100.0, 99.0, 98.0});
  CHECK(count(made, event::regressed) == 0);
  CHECK(count(made, event::backed_off) == 0);
}

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
  auto const made = run(tuner, fall + times(2, 20.0) + times(9, 7.0) + times(2, 20.0), true);
  CHECK(count(made, event::rebased) == 0);
  CHECK(count(made, event::rolled_back) == 2);
}

TEST_CASE("the metric's level is never rebased onto NaN") {
  auto tuner = climbing() | guard(strict());
  auto const made = run(tuner, std::vector{10.0, 9.0, 8.0, 7.0} + times(50, quiet_nan), true);
  CHECK(count(made, event::rebased) == 0);
}

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
  std::size_t marked = 0;
  for (std::size_t i = 1; i < made.size(); ++i) {
    if (has(made[i].state, training_state::mark_candidate)) marked = i;
    if (has(made[i].events, event::became_good)) CHECK(has(made[i].state, training_state::promote));
  }
  REQUIRE(marked > 0);
  CHECK(made.back().why == reason::rollback);
  CHECK(has(made.back().state, training_state::return_to_good));
  CHECK(made.back().values == made[marked - 1].values);
}

TEST_CASE("the training state is copied rarely") {
  auto tuner = climbing() | guard({.snapshot_every = 50});
  auto const made = run(tuner, times(1000, 1.0), true);
  std::size_t marks = 0;
  for (suggestion const& s : made) marks += has(s.state, training_state::mark_candidate) ? 1 : 0;
  CHECK(marks >= 15);
  CHECK(marks <= 22);
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

// All together.

TEST_CASE("a guarded pipeline allocates nothing once it runs") {
  configuration values[] = {start(), space().at({{"lr", 0.01}, {"activation", 1}})};
  struct alternating {
    configuration* values;
    suggestion out{};
    suggestion const& ask() {
      ++out.number;
      out.why = reason::explore;
      out.values = values[out.number % 2];
      return out;
    }
    void tell(observation const&) {}
  };
  for (bool const restorable : {false, true}) {
    auto tuner = drive(alternating{values}) | smooth({.window = 20}) | every(3) |
                 guard({.warm_up = 5, .patience = 2, .cooldown = 4, .snapshot_every = 10});
    random_stream random(8);
    auto step = [&](int i) {
      tuner.ask();
      double const metric = random.chance(0.02) ? quiet_nan : (i / 40 % 3 == 2 ? 50.0 : 1.0) + 0.01 * random.gauss();
      tuner.tell({.metric = metric, .restorable = restorable});
    };
    step(0);
    tuner.ask();
    allocation_count const allocations;
    for (int i = 1; i < 3000; ++i) step(i);
    CHECK(allocations.since() == 0);
  }
}

TEST_CASE("a guard's options that cannot be are refused by name, value and range") {
  CHECK_THROWS_WITH(guard({.max_delta = 0.0}), ContainsSubstring("max_delta = 0") && ContainsSubstring("above 0"));
  CHECK_THROWS_AS(guard({.warm_up_metric = quiet_nan}), invalid_option);
  CHECK_THROWS_AS(guard({.max_delta = infinity}), invalid_option);
  CHECK_THROWS_AS(guard({.max_delta = quiet_nan}), invalid_option);
  CHECK_THROWS_AS(guard({.max_regression = -0.1}), invalid_option);
  CHECK_THROWS_AS(guard({.noise_margin = quiet_nan}), invalid_option);
  CHECK_THROWS_AS(guard({.window = 0}), invalid_option);
  CHECK_THROWS_AS(guard({.recall = 0}), invalid_option);
  CHECK_THROWS_AS(guard({.patience = 0}), invalid_option);
  CHECK_THROWS_AS(guard({.back_off = 1.0}), invalid_option);
  CHECK_THROWS_AS(guard({.safety = {""}}), invalid_option);
  CHECK_THROWS_AS(guard({.snapshot_every = 0}), invalid_option);
}

TEST_CASE("applied values that do not fit the space are a clear error") {
  auto tuner = climbing() | guard();
  tuner.ask();
  double const applied[] = {1.0, 2.0};
  CHECK_THROWS_WITH(tuner.tell({.metric = 1.0, .applied = applied}),
                    ContainsSubstring("2 values") && ContainsSubstring("4 parameters"));
}

TEST_CASE("an empty configuration is refused by the guard") {
  auto tuner = steady({}) | guard();
  CHECK_THROWS_AS(tuner.ask(), invalid_option);
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
