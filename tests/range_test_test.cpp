#include <algorithm>
#include <array>
#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "support/allocations.hpp"
#include "support/noisy_quadratic.hpp"

import autotunenet;

using namespace autotunenet;
using support::noisy_quadratic;

namespace {

search_space space() { return {real{"lr", 1e-6, 1e2, scale::log}, real{"momentum", 0.0, 0.9}}; }

struct told {
  std::vector<double> applied;
  std::vector<double> steps;
};
suggestions constant(configuration values, told* log = nullptr) {
  suggestion s{.values = std::move(values)};
  for (;;) {
    ++s.number;
    observation const& seen = co_yield s;
    if (!seen.applied.empty()) s.values.assign(seen.applied);
    if (!log) continue;
    log->applied.push_back(s.values[0]);
    log->steps.push_back(seen.steps);
  }
}

/// Trains the quadratic as an adapter would, until the sweep has landed.
struct trained {
  std::vector<suggestion> all;
  double landed = 0.0;
  std::size_t extra = 0;
};
trained run(suggestions& tuner, noisy_quadratic& training, std::size_t most, double scale = 1.0, double shift = 0.0) {
  trained result;
  noisy_quadratic::weights saved = training.state();
  for (std::size_t step = 0; step < most; ++step) {
    suggestion const& s = tuner.ask();
    result.all.push_back(s);
    if (has(s.state, training_state::return_to_trial)) training.restore(saved);
    if (has(s.state, training_state::mark_trial)) saved = training.state();
    if (has(s.events, event::range_test_ended)) {
      result.landed = s.values["lr"];
      result.extra = step;
    }
    double const loss = training.step(s.values["lr"]);
    tuner.tell({.metric = scale * loss + shift, .restorable = true});
  }
  return result;
}

/// A run of its own, not much longer than its sweep.
trained sweep(noisy_quadratic training, configuration start, std::size_t horizon) {
  auto tuner = constant(std::move(start)) | range_test({.horizon = horizon});
  return run(tuner, training, 110);
}

/// Where training begins, and begins again, if it stays where it was after each landing.
struct landings {
  std::vector<double> values;
  bool dropped = false;
};
landings of_dead_training(range_test_options options) {
  noisy_quadratic training(7);
  double const level = training.loss();
  auto tuner = constant(space().center()) | range_test(std::move(options));
  noisy_quadratic::weights const before = training.state();
  noisy_quadratic::weights saved = before;
  landings found;
  for (int step = 0; step < 2000; ++step) {
    suggestion const& s = tuner.ask();
    if (has(s.state, training_state::return_to_trial)) training.restore(saved);
    if (has(s.state, training_state::mark_trial)) saved = training.state();
    if (has(s.events, event::range_test_ended | event::backed_off)) {
      CHECK(training.state() == before);
      found.values.push_back(s.values["lr"]);
    }
    found.dropped = found.dropped || has(s.state, training_state::drop_trial);
    double const loss = training.step(s.values["lr"]);
    bool const dead = !found.values.empty() && found.values.size() < 3;
    tuner.tell({.metric = dead ? level : loss, .restorable = true});
  }
  return found;
}

}  // namespace

TEST_CASE("the sweep lands on a rate that trains well, whatever the start") {
  for (double const start : {1e-6, 1e-3, 1.0, 100.0}) {
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      noisy_quadratic training(seed);
      auto tuner = constant(space().at({{"lr", start}})) | range_test({.horizon = 4000});
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
    trained const result = sweep(noisy_quadratic(seed, 1.0), space().at({{"lr", 1e-6}}), 1000);
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

TEST_CASE("a short run affords a coarse sweep, and trains well from any start all the same") {
  for (double const start : {1e-6, 100.0}) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      noisy_quadratic training(seed);
      auto tuner = constant(space().at({{"lr", start}})) | range_test({.horizon = 250});
      trained const result = run(tuner, training, 250);
      INFO("start " << start << " seed " << seed << " landed " << result.landed);
      CHECK(result.extra <= 25);
      CHECK(training.loss() < 0.2 * noisy_quadratic(seed).loss());
    }
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
  auto tuner = constant(space().at({{"lr", 1e-3}})) | range_test({.horizon = 4000});
  double landed = 0.0;
  for (int step = 0; landed == 0.0 && step < 200; ++step) {
    suggestion const& s = tuner.ask();
    if (has(s.events, event::range_test_ended)) landed = s.values["lr"];
    tuner.tell({.metric = metric(s.values["lr"], step), .restorable = true});
  }
  CHECK(landed > 1e-3);
  CHECK(landed < 1e-2);
}

TEST_CASE("weights are back where they were before the sweep began") {
  noisy_quadratic training(5);
  auto tuner = constant(space().at({{"lr", 50.0}})) | range_test({.horizon = 4000});
  noisy_quadratic::weights const before = training.state();
  noisy_quadratic::weights saved = before;
  for (bool landed = false; !landed;) {
    suggestion const& s = tuner.ask();
    if (has(s.state, training_state::return_to_trial)) training.restore(saved);
    if (has(s.state, training_state::mark_trial)) saved = training.state();
    landed = has(s.events, event::range_test_ended);
    if (landed) {
      CHECK(training.state() == before);
      CHECK(s.why == reason::start);
    }
    tuner.tell({.metric = training.step(s.values["lr"]), .restorable = true});
  }
}

TEST_CASE("a sweep rises inside the bounds, moves nothing else, and says what it is") {
  noisy_quadratic training(1);
  auto tuner = constant(space().at({{"lr", 1e-3}, {"momentum", 0.7}})) | range_test({.horizon = 4000});
  trained const result = run(tuner, training, 200);
  double previous = 0.0;
  for (std::size_t i = 0; i < result.all.size(); ++i) {
    suggestion const& s = result.all[i];
    CHECK(s.number == i + 1);
    CHECK(s.values["momentum"] == 0.7);
    if (i == 0 || i >= result.extra) {
      CHECK(s.why != reason::range_test);
      continue;
    }
    CHECK(s.why == reason::range_test);
    CHECK(s.values["lr"] > previous);
    CHECK(s.values["lr"] <= 1e2);
    previous = s.values["lr"];
  }
}

TEST_CASE("the tuner inside learns where it begins, and how much of the run is gone") {
  told log;
  noisy_quadratic training(2);
  auto tuner = constant(space().at({{"lr", 1e-6}}), &log) | range_test({.horizon = 4000});
  trained const result = run(tuner, training, 200);
  CHECK(log.applied.front() == result.landed);
  CHECK(log.steps.front() == static_cast<double>(result.extra) + 1.0);
  CHECK(log.steps.back() == 1.0);
}

TEST_CASE("a trainer that cannot restore its state is never swept") {
  auto tuner = constant(space().at({{"lr", 1e-3}})) | range_test({.horizon = 4000});
  for (int step = 0; step < 50; ++step) {
    suggestion const& s = tuner.ask();
    CHECK(s.values["lr"] == 1e-3);
    CHECK(s.why != reason::range_test);
    tuner.tell({.metric = 1.0});
  }
}

TEST_CASE("a run too short for a sweep goes without") {
  noisy_quadratic training(1);
  auto tuner = constant(space().at({{"lr", 1e-3}})) | range_test({.horizon = 20});
  trained const result = run(tuner, training, 20);
  for (suggestion const& s : result.all) CHECK(s.state == training_state::keep);
}

TEST_CASE("where nothing makes the metric fall, the start is kept") {
  auto tuner = constant(space().at({{"lr", 1e-3}})) | range_test({.horizon = 4000});
  for (int step = 0; step < 300; ++step) {
    suggestion const& s = tuner.ask();
    if (has(s.events, event::range_test_ended)) CHECK(s.values["lr"] == 1e-3);
    tuner.tell({.metric = 1.0 + 0.01 * ((step * 7919) % 11), .restorable = true});
  }
}

TEST_CASE("NaN, infinity and failures end a sweep, and are never landed on") {
  for (int kind = 0; kind < 3; ++kind) {
    noisy_quadratic training(3);
    auto tuner = constant(space().at({{"lr", 1e-3}})) | range_test({.horizon = 4000});
    bool landed = false;
    double failed_at = 0.0;
    for (int step = 0; step < 300 && !landed; ++step) {
      suggestion const& s = tuner.ask();
      double const lr = s.values["lr"];
      landed = has(s.events, event::range_test_ended);
      if (landed) CHECK(lr < failed_at);
      observation seen{.metric = training.step(lr), .restorable = true};
      if (lr > 0.2 && !landed) {
        failed_at = lr;
        if (kind == 0) seen.metric = std::numeric_limits<double>::quiet_NaN();
        if (kind == 1) seen.metric = std::numeric_limits<double>::infinity();
        if (kind == 2) seen.result = outcome::failed;
      }
      tuner.tell(seen);
    }
    CHECK(landed);
  }
}

TEST_CASE("a scaled and shifted metric lands on the same value") {
  noisy_quadratic plain(4);
  noisy_quadratic scaled(4);
  auto first = constant(space().center()) | range_test({.horizon = 4000});
  auto second = constant(space().center()) | range_test({.horizon = 4000});
  CHECK(run(first, plain, 150).landed == run(second, scaled, 150, 1024.0, -4096.0).landed);
}

TEST_CASE("a range test refuses what cannot be swept") {
  CHECK_THROWS_AS(range_test({.budget = 1.5}), invalid_option);
  CHECK_THROWS_AS(range_test({.back_off = 0.5}), invalid_option);
  CHECK_THROWS_AS(range_test({.back_off = 2.0, .least_back_off = 3.0}), invalid_option);
  CHECK_THROWS_AS(range_test({.least_steps = 2}), invalid_option);
  search_space const linear{real{"lr", 0.0, 1.0}};
  auto tuner = constant(linear.center()) | range_test({.horizon = 4000});
  CHECK_THROWS_AS(tuner.ask(), invalid_option);
  search_space const other{real{"dropout", 0.0, 1.0}};
  auto fine = constant(other.center()) | range_test({.horizon = 4000});
  CHECK(fine.ask().state == training_state::keep);
}

TEST_CASE("what was found has to prove itself, else training begins again with a quarter of it") {
  landings const found = of_dead_training({.horizon = 4000, .proof = 0.05, .restarts = 2});
  REQUIRE(found.values.size() == 3);
  CHECK(found.values[1] == found.values[0] / 4.0);
  CHECK(found.values[2] == found.values[1] / 4.0);
  CHECK(found.dropped);
}

TEST_CASE("a short run begins higher than a long one, and first goes back to what a long one would begin with") {
  landings const brief = of_dead_training({.horizon = 700});
  landings const as_long = of_dead_training({.horizon = 700, .long_run = 0});
  REQUIRE(brief.values.size() == 3);
  REQUIRE(as_long.values.size() == 3);
  CHECK(brief.values[0] > 1.5 * as_long.values[0]);
  CHECK(brief.values[0] <= std::sqrt(2500.0 / 700.0) * as_long.values[0]);
  CHECK(brief.values[1] == as_long.values[0]);
  CHECK(brief.values[2] == as_long.values[1]);
}

TEST_CASE("what proves itself is left alone, and its saved state is dropped") {
  noisy_quadratic training(8);
  auto tuner = constant(space().center()) | range_test({.horizon = 4000});
  trained const result = run(tuner, training, 1000);
  bool dropped = false;
  for (suggestion const& s : result.all) {
    CHECK_FALSE(has(s.events, event::backed_off));
    dropped = dropped || has(s.state, training_state::drop_trial);
  }
  CHECK(dropped);
}

TEST_CASE("a step after the sweep allocates nothing") {
  noisy_quadratic training(6);
  auto tuner = constant(space().center()) | range_test({.horizon = 4000});
  run(tuner, training, 200);
  support::allocation_count count;
  for (int step = 0; step < 100; ++step) {
    tuner.ask();
    tuner.tell({.metric = 1.0, .restorable = true});
  }
  CHECK(count.since() == 0);
}
