#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <span>
#include <vector>

#include "support/allocations.hpp"
#include "support/random_stream.hpp"

import autotunenet;
import autotunenet.testing;
import support.guarded;

using namespace autotunenet;
using namespace support;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::WithinRel;

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

TEST_CASE("a report with the number of a category in place of its index is none") {
  search_space const batches{real{"lr", 0.0, 1.0}, categorical{"batch", {16, 32, 64}}};
  support::log told;
  auto tuner = steady(batches.at({{"lr", 0.5}, {"batch", 32}}), &told) | guard({.max_delta = 0.01});
  std::vector<double> ran{0.25, tuner.ask().values["batch"]};
  tuner.tell({.metric = 1.0, .applied = ran});
  CHECK(told.back().applied == std::vector<double>{0.5, 1.0});
  ran[1] = 2.0;
  tuner.ask();
  tuner.tell({.metric = 1.0, .applied = ran});
  CHECK(told.back().applied == std::vector<double>{0.25, 2.0});
  double const suggested = tuner.ask().values[1];
  ran[1] = quiet_nan;
  tuner.tell({.metric = 1.0, .applied = ran});
  CHECK(told.back().applied == std::vector<double>{0.25, suggested});
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
  CHECK_THROWS_AS(guard({.max_regression = quiet_nan}), invalid_option);
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

TEST_CASE("an empty configuration is refused by every stage that needs its space") {
  CHECK_THROWS_AS((steady({}) | anneal()).ask(), invalid_option);
  CHECK_THROWS_AS((steady({}) | branch_test({.horizon = 5000})).ask(), invalid_option);
  CHECK_THROWS_AS((steady({}) | range_test()).ask(), invalid_option);
  CHECK_THROWS_AS((steady({}) | bracket()).ask(), invalid_option);
}

TEST_CASE("what something else sets in place of the suggested values is noticed, once") {
  auto tuner = climbing() | guard();
  configuration other = start();
  int noticed = 0;
  for (int step = 0; step < 100; ++step) {
    noticed += has(tuner.ask().events, event::overridden) ? 1 : 0;
    other.assign(0, step % 20 < 5 ? tuner.ask().values[0] : 1e-4 * (1.0 + step));
    tuner.tell({.metric = 1.0, .applied = other.values()});
    if (step == 10) CHECK(noticed == 0);
  }
  CHECK(noticed == 1);
}

TEST_CASE("what the trainer noticed is told, at once or, where other values ran beside those it tells, by count") {
  auto tuner = climbing() | guard();
  int overridden = 0;
  for (int step = 0; step < 100; ++step) {
    suggestion const& next = tuner.ask();
    overridden += has(next.events, event::overridden) ? 1 : 0;
    CHECK(has(next.events, event::marked_anew) == (step == 4));
    if (step <= 20) CHECK(overridden == 0);
    event noticed = step != 10 ? event::overridden : event::none;
    if (step == 3) noticed |= event::marked_anew;
    tuner.tell({.metric = 1.0, .noticed = noticed});
  }
  CHECK(overridden == 1);
}

TEST_CASE("a step that is hardly another, or a single one of the user's own, is no override") {
  auto tuner = climbing() | guard();
  configuration other = start();
  for (int step = 0; step < 100; ++step) {
    CHECK_FALSE(has(tuner.ask().events, event::overridden));
    other.assign(tuner.ask().values.values());
    other.assign(0, other[0] * (step % 8 == 0 ? 3.0 : 1.001));
    tuner.tell({.metric = 1.0, .applied = other.values()});
  }
}

TEST_CASE("where metrics are not judged, nothing is a regression") {
  settings const unjudged{.stability = {.enabled = false, .window = 1, .patience = 1, .cooldown = 0}};
  guard_options without_noise = guard_from(unjudged);
  without_noise.noise_margin = 0.0;
  for (guard_options const& options : {guard_from(unjudged), without_noise}) {
    auto tuner = climbing() | guard(options);
    // Constant, so that nothing was gained and there is no noise; a failure interrupts what is compared.
    auto const made = run(tuner, times(10, 1.0) + times(1, quiet_nan) + times(10, 5.0) + times(10, 1e300));
    CHECK(count(made, event::regressed) == 0);
    CHECK(count(made, event::backed_off | event::rolled_back) == 1);
  }
}
