#include "../modules/range_sweep.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "support/landings.hpp"
#include "support/noisy_quadratic.hpp"

import autotunenet;
import autotunenet.testing;
import support.trainee;

using namespace autotunenet;
using namespace support;
using Catch::Matchers::WithinRel;

namespace {

/// A run of its own, not much longer than its sweep, and without pilots.
trained sweep(noisy_quadratic training, configuration start, std::size_t horizon) {
  auto tuner = following(std::move(start)) | range_test({.horizon = horizon, .pilot = 0.0});
  return run(tuner, training, 110);
}

/// Where the sweep lands where each metric follows from the rate and the step alone; NaN: training failed.
struct first_landing {
  double value = 0.0;
  event told = event::none;  // by then
};
template <class Metric>
first_landing first_landing_of(suggestions& tuner, Metric metric) {
  first_landing found;
  for (int step = 0; found.value == 0.0 && step < 200; ++step) {
    suggestion const& s = tuner.ask();
    double const rate = s.values["lr"];
    found.told |= s.events;
    if (has(s.events, event::range_test_ended)) found.value = rate;
    tuner.tell({.metric = metric(rate, step), .restorable = true});
  }
  return found;
}

/// Of a run that begins much higher than a long one.
range_sweep short_sweep(std::size_t steps) {
  return range_sweep({.horizon = 300,
                      .part = 0.03,
                      .most_part = 0.2,
                      .least_steps = steps,
                      .enough_steps = steps,
                      .most_steps = steps,
                      .long_run = 30000,
                      .back_off = 2.75,
                      .least_back_off = 1.6});
}

/// @param part of the loss at first that is left at most
void check_short_runs(std::size_t horizon, double part) {
  for (double const start : {1e-6, 100.0}) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      noisy_quadratic training(seed);
      auto tuner = following(rate_space().at({{"lr", start}})) | range_test({.horizon = horizon});
      trained const result = run(tuner, training, horizon);
      INFO("start " << start << " seed " << seed << " landed " << result.landed);
      CHECK(result.extra <= 29);  // the sweep, and the first step, before which nobody knows whether state can go back
      CHECK(training.loss() < part * noisy_quadratic(seed).loss());
    }
  }
}

}  // namespace

TEST_CASE("the sweep lands on a rate that trains well, whatever the start") {
  for (double const start : {1e-6, 1e-3, 1.0, 100.0}) {
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      noisy_quadratic training(seed);
      auto tuner = following(rate_space().at({{"lr", start}})) | range_test({.horizon = 4000});
      trained const result = run(tuner, training, 4000);
      INFO("start " << start << " seed " << seed << " landed " << result.landed);
      CHECK(result.landed > 0.05);
      CHECK(result.landed < 2.0);
      CHECK(result.extra <= 101);
      CHECK(training.loss() < 0.1 * noisy_quadratic(seed).loss());
    }
  }
}

TEST_CASE("the noise of the metric does not end a sweep before it has found anything") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    trained const result = sweep(noisy_quadratic(seed, 1.0), rate_space().at({{"lr", 1e-6}}), 1000);
    INFO("seed " << seed << " landed " << result.landed << " after " << result.extra);
    CHECK(result.landed > 0.05);
    CHECK(result.landed < 2.0);
  }
}

TEST_CASE("a sweep whose lowest values make the metric fall already finds what a wider one finds") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    search_space const narrow{real{"lr", 1e-2, 1e2, scale::log}};
    trained const result = sweep(noisy_quadratic(seed), narrow.center(), 1000);
    INFO("seed " << seed << " landed " << result.landed);
    CHECK(result.landed > 0.05);
    CHECK(result.landed < 1.0);
  }
}

TEST_CASE("an upper bound that trains well is no divergence to keep away from") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    search_space const low{real{"lr", 1e-6, 0.05, scale::log}};
    trained const result = sweep(noisy_quadratic(seed), low.center(), 4000);
    INFO("seed " << seed << " landed " << result.landed);
    CHECK(result.landed > 0.02);
  }
}

TEST_CASE("the rates of groups move together, in the ratio that they began with, and stay inside their bounds") {
  search_space const groups{real{"body.lr", 1e-6, 100.0, scale::log}, real{"momentum", 0.0, 0.9},
                            real{"head.lr", 1e-4, 10.0, scale::log}};
  noisy_quadratic training(3);
  auto tuner =
      following(groups.at({{"body.lr", 1e-3}, {"momentum", 0.5}, {"head.lr", 1e-2}})) | range_test({.horizon = 4000});
  trained const result = run(tuner, training, 4000);
  CHECK(result.landed > 0.05);
  CHECK(result.landed < 2.0);
  bool low = false, high = false;
  for (suggestion const& s : result.all) {
    configuration const& ran = s.values;
    CHECK(ran[1] == 0.5);
    CHECK_THAT(ran[2], WithinRel(std::clamp(10.0 * ran[0], 1e-4, 10.0), 1e-9));
    low = low || ran[2] == 1e-4;
    high = high || ran[2] == 10.0;
  }
  CHECK((low && high));
}

TEST_CASE("a rate on a linear scale is swept by ratios, also where it reaches down to 0") {
  search_space const linear{real{"lr", 0.0, 100.0}};
  for (double const start : {0.0, 1e-3, 100.0}) {
    noisy_quadratic training(3);
    auto tuner = following(linear.at({{"lr", start}})) | range_test({.horizon = 4000});
    trained const result = run(tuner, training, 4000);
    CHECK(result.landed > 0.05);
    CHECK(result.landed < 2.0);
    CHECK(result.all[1].values[0] == 1e-6);
  }
}

TEST_CASE("a short run affords a coarse sweep, and trains well from any start all the same") {
  check_short_runs(250, 0.2);
}

TEST_CASE("a very short run affords the shortest sweep") { check_short_runs(120, 0.4); }

TEST_CASE("the coarser the sweep, the further from where it diverges a short run begins") {
  struct example {
    std::size_t steps;
    double divisor;
  };
  for (auto const& [steps, divisor] : {example{40, 1.6}, {20, std::pow(800.0, 2.0 / 19.0)}, {12, 2.75}}) {
    range_sweep sweep = short_sweep(steps);
    sweep.begin(0.01, 8.0);
    for (int step = 0; !sweep.pass_over(); ++step) {
      double const value = step > 1 ? sweep.last() : 0.0;
      sweep.next();
      double const fallen = 0.3 * std::max(std::log10(value / 0.1), 0.0);
      sweep.add(value > 2.0 ? 1e3 : 1.0 - fallen + 1e-3 * (step % 3));
    }
    CHECK_FALSE(sweep.refine());
    REQUIRE(sweep.curve().fell_clearly());
    CHECK_THAT(sweep.where_it_fell().value, WithinRel(sweep.curve().edge() / divisor, 1e-9));
  }
}

TEST_CASE("a sweep that has far to go looks more closely below where a rough pass diverged") {
  // Divergence that shows only when values have been too high for five steps, as with momentum.
  for (double const too_high : {1e-3, 0.1}) {
    range_sweep sweep = short_sweep(60);
    sweep.begin(1e-6, 10.0);
    std::size_t passes = 0, steps = 0;
    do {
      ++passes;
      for (std::size_t above = 0, step = 0; !sweep.pass_over(); ++step, ++steps) {
        above = step > 0 && sweep.last() > too_high ? above + 1 : 0;
        double const value = step > 0 ? sweep.last() : 0.0;
        double const fallen = 0.3 * std::clamp(std::log10(100.0 * value / too_high), 0.0, 2.0);
        sweep.next();
        sweep.add((above > 5 ? 100.0 : 1.0 - fallen) + 1e-3 * static_cast<double>(step % 3));
      }
    } while (sweep.refine());
    CHECK(passes == 2);
    CHECK(steps <= sweep.steps());
    REQUIRE(sweep.curve().diverged());
    INFO("too high above " << too_high << ", found at " << sweep.curve().edge());
    CHECK(sweep.curve().edge() > 0.7 * too_high);
    CHECK(sweep.curve().edge() < 3.0 * too_high);
  }
}

TEST_CASE("a sweep that gets rough long before it diverges lands where it was smooth still") {
  // As of a small convolutional network: a steep fall up to 0.005, then ups and downs that are a little lower at times.
  // At first it does not move in the last bit, as of training on all data at once.
  auto const metric = [](double rate, int step) {
    double const decades = std::clamp(std::log10(rate / 5e-4), 0.0, 1.0);
    double const smooth = 2.3 - 1.1 * decades;
    if (rate < 5e-3) return smooth;
    if (rate > 0.1) return 4.0;
    return std::array{1.3, 1.9, 1.0, 1.5, 0.9}[static_cast<std::size_t>(step % 5)];
  };
  auto tuner = following(rate_space().at({{"lr", 1e-3}})) | range_test({.horizon = 4000});
  double const landed = first_landing_of(tuner, metric).value;
  CHECK(landed > 1e-3);
  CHECK(landed < 1e-2);
}

TEST_CASE("a dip that does not last is not where a metric fell") {
  range_curve curve(100);
  for (int step = 0; step < 100; ++step) {
    double const value = std::pow(10.0, 0.08 * step - 6.0);
    double const fallen = value > 0.01 ? 0.2 * std::log10(value / 0.01) : 0.0;
    double const dip = step >= 30 && step < 34 ? 0.5 : 0.0;
    curve.add(value, 1.0 - fallen - dip + 0.05 * (step % 2));
  }
  REQUIRE(curve.fell_clearly());
  REQUIRE(curve.fall() < 1.0);
  CHECK(curve.fallen_by(0.5) > 0.1);
}

TEST_CASE("one step of a metric that moves by steps is no divergence") {
  constexpr double grain = 1.0 / 500.0;  // the error rate of 500 examples, which half of it is at first
  for (std::size_t const horizon : {0U, 200U, 1000U}) {
    auto tuner = following(rate_space().at({{"lr", 1e-5}})) | range_test({.horizon = horizon, .pilot = 0.0});
    auto const metric = [&](double rate, int step) {
      double const decades = std::log10(rate);
      double const error = decades < -4.0 || decades > 0.0 ? 0.5 : -0.125 * decades;
      return grain * (std::round(error / grain) + (step == 9 ? 1.0 : 0.0));
    };
    double const landed = first_landing_of(tuner, metric).value;
    INFO("horizon " << horizon << " landed " << landed);
    CHECK(landed > 1e-3);
    CHECK(landed < 1.0);
  }
}

TEST_CASE("a metric that rises at first and is better than ever at higher values has not diverged") {
  // As of a small network with momentum: waves at the first values that matter, then it learns.
  for (std::size_t const horizon : {0U, 500U, 2000U}) {
    auto tuner =
        following(rate_space().at({{"lr", 1e-5}})) | range_test({.horizon = horizon, .proof = 1.0, .pilot = 0.0});
    std::mt19937_64 engine(1);
    std::normal_distribution<double> noise(0.0, 0.01);
    auto const metric = [&](double rate, int) {
      double const decades = std::log10(rate);
      double const wave = decades > -3.0 && decades < -2.3 ? -0.05 : decades > -2.3 && decades < -2.0 ? 0.04 : 0.0;
      double const learned = decades > -2.0 ? 0.2 * (decades + 2.0) : 0.0;
      return (decades > 0.5 ? 50.0 : 0.7 + wave - learned) + noise(engine);
    };
    double const landed = first_landing_of(tuner, metric).value;
    INFO("horizon " << horizon << " landed " << landed);
    CHECK(landed > 0.1);
    CHECK(landed < 3.0);
  }
}

TEST_CASE("where training fails without a warning, that is where it diverges") {
  for (auto const& [start, lands_at_least, lands_at_most] : {std::array{1e-6, 0.03, 0.4}, std::array{0.1, 0.1, 0.1}}) {
    auto tuner = following(rate_space().at({{"lr", start}})) | range_test({.horizon = 4000, .restarts = 0});
    std::mt19937_64 engine(1);
    std::normal_distribution<double> noise(1.0, 0.1);
    auto const metric = [&](double rate, int) {
      return rate > 1.0 ? std::numeric_limits<double>::quiet_NaN() : noise(engine);
    };
    auto const [landed, told] = first_landing_of(tuner, metric);
    INFO("start " << start << " landed " << landed);
    CHECK(landed >= lands_at_least);
    CHECK(landed <= lands_at_most);
    CHECK_FALSE(has(told, event::not_located));
  }
}

TEST_CASE("a scaled and shifted metric lands on the same value") {
  noisy_quadratic plain(4);
  noisy_quadratic scaled(4);
  auto first = following(rate_space().center()) | range_test({.horizon = 4000});
  auto second = following(rate_space().center()) | range_test({.horizon = 4000});
  CHECK(run(first, plain, 150).landed == run(second, scaled, 150, 1024.0, -4096.0).landed);
}

TEST_CASE("where no value makes a difference the run mostly is at its start in the end, and then that is told") {
  int at_start = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::size_t const horizon = seed % 2 == 0 ? 4000 : 700;
    auto tuner = following(rate_space().at({{"lr", 1e-3}})) | range_test({.horizon = horizon});
    std::mt19937_64 engine(seed);
    std::normal_distribution<double> noise(1.0, seed < 10 ? 0.01 : 0.1);
    std::vector<double> landed;
    event told = event::none;
    double last = 0.0;
    for (std::size_t step = 0; step < horizon / 5; ++step) {
      suggestion const& s = tuner.ask();
      told |= s.events;
      last = s.values["lr"];
      if (has(s.events, event::range_test_ended | event::backed_off)) landed.push_back(last);
      tuner.tell({.metric = noise(engine), .restorable = true});
    }
    INFO("seed " << seed);
    REQUIRE_FALSE(landed.empty());
    CHECK(landed.front() > 1.0);
    bool const returned = last == 1e-3;
    at_start += returned ? 1 : 0;
    CHECK(has(told, event::not_located) == returned);
    CHECK(has(told, event::no_difference) == returned);
  }
  CHECK(at_start >= 12);
}

TEST_CASE("where nothing makes the metric fall but something breaks it, the start is moved to where training works") {
  for (std::size_t const horizon : {0U, 1000U, 4000U}) {
    trained_before const network{.tolerated = 0.3};
    std::vector<double> const low = landings_of(network, 1e-6, horizon), high = landings_of(network, 50.0, horizon),
                              right = landings_of(network, 0.1, horizon);
    INFO("horizon " << horizon);
    REQUIRE(low.size() == 1);
    REQUIRE(high.size() == 1);
    CHECK(low[0] > 0.01);
    CHECK(low[0] < high[0]);
    CHECK(high[0] < 0.4);
    CHECK(right == std::vector{0.1});
  }
}

TEST_CASE("a start that breaks training is moved too where an annealing stage inside would rise to it") {
  for (double const start : {1e-3, 5.0, 8.0, 10.0}) {
    auto tuner = following(rate_space().at({{"lr", start}})) | anneal({.horizon = 4000, .rise = 0.02}) |
                 range_test({.horizon = 4000});
    double landed = 0.0;
    for (int step = 0; step < 400; ++step) {
      suggestion const& s = tuner.ask();
      if (has(s.events, event::range_test_ended)) landed = s.values["lr"];
      double const loss = s.why == reason::range_test && s.values["lr"] > 1.0 ? 1e3 : 1.0 + 1e-3 * (step % 3);
      tuner.tell({.metric = loss, .restorable = true});
    }
    CAPTURE(start, landed);
    CHECK(landed > 0.05);
    CHECK(landed < 1.0);
  }
}

TEST_CASE("a sweep ends where something else sets the value, and leaves it alone from there") {
  auto tuner = following(rate_space().at({{"lr", 0.01}})) | range_test({.horizon = 4000});
  std::size_t swept = 0;
  noisy_quadratic training(3);
  for (int step = 0; step < 1000; ++step) {
    configuration applied = tuner.ask().values;
    swept += tuner.ask().why == reason::range_test ? 1 : 0;
    applied.assign(0, 1e-3 * (1.0 + 0.01 * step));
    tuner.tell({.metric = training.step(applied[0]), .applied = applied.values(), .restorable = true});
  }
  CHECK(swept <= 4);
}
