#include <algorithm>
#include <bit>
#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <format>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "support/random_stream.hpp"

import autotunenet;
import support.guard_referee;

using namespace autotunenet;
using support::random_metrics;
using support::random_stream;
using support::referee;

namespace {

// What is thrown at the guard.

search_space random_space(random_stream& random) {
  std::vector<parameter> parameters;
  if (random.chance(0.6)) parameters.push_back(real{"lr", 1e-6, 10.0, scale::log});
  std::size_t const more = 1 + random.below(4);
  for (std::size_t i = 0; i < more; ++i) {
    std::string const name = std::format("p{}", i);
    double const low = random.between(-100.0, 100.0);
    auto const whole = static_cast<std::int64_t>(low);
    switch (random.below(6)) {
      case 0:
        parameters.push_back(real{name, low, low + random.between(1e-3, 200.0)});
        break;
      case 1:
        parameters.push_back(real{name, 0.0, 0.1});
        break;
      case 2:
        parameters.push_back(real{name, 1e-8, random.between(1e-7, 1e3), scale::log});
        break;
      case 3:
        parameters.push_back(integer{name, whole, whole + 1 + static_cast<int>(random.below(50))});
        break;
      case 4:
        parameters.push_back(integer{name, 1, 2 + static_cast<int>(random.below(4000)), scale::log});
        break;
      default:
        parameters.push_back(categorical{name, {"a", "b", 3.0}});
    }
  }
  return search_space(std::move(parameters));
}

guard_options random_options(random_stream& random) {
  guard_options options;
  options.warm_up = random.chance(0.5) ? random.below(8) : 0;
  if (random.chance(0.2)) options.warm_up_metric = random.between(-1.0, 3.0);
  options.max_delta = random.between(0.01, 2.0);
  options.max_regression = random.between(0.0, 0.5);
  options.noise_margin = random.chance(0.3) ? 0.0 : random.between(1.0, 5.0);
  options.window = 1 + random.below(8);
  options.recall = 1 + random.below(40);
  options.patience = 1 + random.below(5);
  options.cooldown = random.below(12);
  options.back_off = random.between(0.05, 0.95);
  options.snapshot_every = 1 + random.below(30);
  return options;
}

/// Jumps anywhere, holds, and now and then runs a reversible trial, without a thought for what it is told.
struct wild_tuner {
  search_space space;
  random_stream random;
  std::function<void(observation const&)> check;
  suggestion out{};
  std::size_t trial = 0;

  suggestion const& ask() {
    ++out.number;
    out.state = training_state::keep;
    if (out.values.empty()) out.values = space.center();
    if (trial > 0) {
      continue_trial();
    } else if (random.chance(0.02)) {
      trial = 1 + random.below(6);
      out.why = reason::range_test;
      out.state = training_state::mark_trial;
    } else {
      if (random.chance(0.02))
        out.state = random.chance(0.5) ? training_state::mark_best : training_state::return_to_best;
      out.why = random.chance(0.3) ? reason::hold : random.chance(0.5) ? reason::explore : reason::anneal;
    }
    if (out.why != reason::hold) jump();
    return out;
  }
  void continue_trial() {
    if (--trial > 0) return;
    out.why = reason::exploit;
    out.state = training_state::return_to_trial | training_state::drop_trial;
  }
  void jump() {
    for (std::size_t i = 0; i < space.size(); ++i) {
      double const unit = random.chance(0.2) ? (random.chance(0.5) ? 0.0 : 1.0) : random.uniform();
      if (random.chance(0.7)) out.values.assign(i, space.from_unit(i, unit));
    }
  }
  void tell(observation const& seen) {
    if (check) check(seen);
  }
};

/// A trainer's copies of its state. The state is just the place in the run.
struct copies {
  std::optional<std::size_t> best, trial, candidate, good;
  std::size_t now = 0;

  void carry_out(training_state wishes) {
    if (has(wishes, training_state::mark_best)) best = now;
    if (has(wishes, training_state::return_to_best) && best) now = *best;
    if (has(wishes, training_state::return_to_trial) && trial) now = *trial;
    if (has(wishes, training_state::return_to_good) && (good || candidate)) now = good ? *good : *candidate;
    if (has(wishes, training_state::promote)) good = candidate;
    if (has(wishes, training_state::mark_candidate)) candidate = now;
    if (has(wishes, training_state::mark_trial)) trial = now;
  }
};

observation random_observation(random_stream& random, random_metrics& metrics, bool restorable) {
  observation seen{.metric = metrics.next(), .restorable = restorable};
  if (random.chance(0.05)) seen.result = outcome::skipped;
  if (random.chance(0.01)) seen.result = outcome::failed;
  if (random.chance(0.05)) seen.noise = random.uniform();
  return seen;
}

constexpr std::uint64_t sequences = 10'000;
constexpr std::size_t steps = 300;

}  // namespace

TEST_CASE("whatever the metrics, the space, the options and the tuner, the guard keeps its promises") {
  std::size_t rollbacks = 0;
  std::size_t backed_off = 0;
  std::size_t rebased = 0;
  for (std::uint64_t seed = 0; seed < sequences; ++seed) {
    random_stream random(seed);
    random_metrics metrics(seed + sequences);
    search_space const space = random_space(random);
    guard_options const options = random_options(random);
    bool const restorable = random.chance(0.5);
    bool const meddling = random.chance(0.2);  // the trainer runs something else now and then
    referee judge(space, options);
    copies trainer;
    wild_tuner wild{space, random_stream(~seed), [&](observation const& seen) { judge.told(seen); }};
    auto tuner = drive(std::move(wild)) | guard(options);
    std::vector<double> ran;
    for (std::size_t step = 0; step < steps; ++step) {
      suggestion const& next = tuner.ask();
      judge.suggested(next);
      trainer.now = step;
      trainer.carry_out(next.state);
      rollbacks += next.why == reason::rollback ? 1 : 0;
      backed_off += next.why == reason::back_off ? 1 : 0;
      rebased += has(next.events, event::rebased) ? 1 : 0;
      if (restorable && next.why == reason::rollback) {
        if (!has(next.state, training_state::return_to_good)) judge.problem = "a rollback left the weights behind";
        if (!judge.ran_before(trainer.now, next.values.values())) judge.problem = "weights and configuration differ";
      }
      ran.assign(next.values.values().begin(), next.values.values().end());
      if (meddling && random.chance(0.1)) ran[random.below(ran.size())] = random.between(-200.0, 200.0);
      std::span<double const> judged = ran;
      observation seen = random_observation(random, metrics, restorable);
      if (meddling || random.chance(0.5)) seen.applied = ran;
      for (std::size_t i = 0; i < ran.size(); ++i) {  // what is no index of a category is no report
        if (space.is_categorical(i) && !space.contains(i, ran[i])) judged = next.values.values();
      }
      judge.observed(judged, seen);
      tuner.tell(seen);
      if (!judge.problem.empty()) break;
    }
    INFO("seed " << seed << ": " << judge.problem);
    REQUIRE(judge.problem.empty());
  }
  // The promises were put to the test.
  CHECK(rollbacks > sequences / 10);
  CHECK(backed_off > sequences);
  CHECK(rebased > sequences / 100);
}

namespace {

/// All that can be seen of a run, bit for bit.
std::vector<std::uint64_t> trace(std::uint64_t seed, std::function<double(double)> const& turn, bool tame = false) {
  random_stream random(seed);
  random_metrics metrics(seed);
  search_space const space = random_space(random);
  guard_options options = random_options(random);
  options.warm_up_metric = turn(options.warm_up_metric);
  auto tuner = drive(wild_tuner{space, random_stream(~seed), {}}) | guard(options);
  std::vector<std::uint64_t> bits;
  double level = 0.0;
  for (std::size_t step = 0; step < steps; ++step) {
    suggestion const& next = tuner.ask();
    bits.push_back(static_cast<std::uint64_t>(next.events) << 32 | static_cast<std::uint64_t>(next.state) << 8 |
                   static_cast<std::uint64_t>(next.why));
    for (double const value : next.values.values()) bits.push_back(std::bit_cast<std::uint64_t>(value));
    double metric = metrics.next();
    if (tame) {
      level += random.chance(0.05) ? random.between(-2.0, 2.0) : -0.02;
      metric = std::round((level + 0.2 * random.gauss()) * 0x1p12) * 0x1p-12;
    }
    tuner.tell({.metric = turn(metric), .restorable = seed % 2 == 0});
  }
  return bits;
}

double same(double metric) { return metric; }

}  // namespace

TEST_CASE("the same seed and the same observations give the same bits") {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    bool const equal = trace(seed, same) == trace(seed, same);
    REQUIRE(equal);
  }
}

TEST_CASE("scaling the metric changes no decision") {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    for (double const factor : {0x1p40, 0x1p-40, 3.7}) {
      bool const equal = trace(seed, [&](double m) { return factor * m; }, true) == trace(seed, same, true);
      INFO("seed " << seed << " factor " << factor);
      REQUIRE(equal);
    }
  }
}

TEST_CASE("shifting the metric changes no decision") {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    for (double const shift : {64.0, -1024.0}) {
      bool const equal = trace(seed, [&](double m) { return m + shift; }, true) == trace(seed, same, true);
      INFO("seed " << seed << " shift " << shift);
      REQUIRE(equal);
    }
  }
}
