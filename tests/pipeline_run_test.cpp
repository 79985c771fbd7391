#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "support/noisy_quadratic.hpp"

import autotunenet;
import support.trainee;

using namespace autotunenet;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// What it learns by heart helps training and harms validation, once there is little else to learn.
struct learns_by_heart {
  support::noisy_quadratic network;
  double by_heart = 0.0, steps = 0.0;

  double step(double rate, double run) {
    double const loss = network.step(rate);
    if (++steps > 0.25 * run && network.loss() < 0.1) by_heart += 2.0 / run;
    return loss - by_heart;
  }
  double validation() const { return network.loss() + by_heart; }
};

}  // namespace

TEST_CASE("every return of a run finds the state that was saved for it, and undoes all that came after") {
  auto const objective = GENERATE(hook::step, hook::first);
  std::size_t const horizon = GENERATE(1000U, 4000U);
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    support::trainee<support::noisy_quadratic> training{support::noisy_quadratic(seed, 0.1)};
    settings const chosen{.parameters = search_space{real{"lr", 1e-6, 1e2, scale::log}},
                          .tuning = {.objective = objective, .seed = seed, .horizon = horizon}};
    suggestions tuning = make_pipeline(chosen);
    int landings = 0;
    for (std::size_t step = 0; step < horizon; ++step) {
      suggestion const& now = tuning.ask();
      training.carry_out(now.state);
      if (has(now.events, event::range_test_ended)) ++landings;
      tuning.tell({.metric = training.now.step(now.values[0]), .restorable = true});
    }
    CHECK(landings >= 2);
    CHECK(landings <= 3);
    CHECK_FALSE(training.origin);
    CHECK_FALSE(training.trial);
    CHECK(training.now.loss() < 0.05);
  }
}

TEST_CASE("a run that learns by heart ends where validation was best, whatever trials came between") {
  std::size_t const horizon = GENERATE(0U, 2000U, 4000U);
  std::size_t const run = horizon > 0 ? horizon : 3000;
  std::size_t const between = GENERATE(1U, 7U, 30U);
  int ended_well = 0;
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    support::trainee<learns_by_heart> training{{.network = support::noisy_quadratic(seed, 0.1)}};
    settings const chosen{.parameters = search_space{real{"lr", 1e-6, 1e2, scale::log}},
                          .tuning = {.objective = hook::step, .seed = seed, .horizon = horizon}};
    suggestions tuning = make_pipeline(chosen);
    bool returned = false;
    for (std::size_t step = 0; step < run; ++step) {
      suggestion const& now = tuning.ask();
      training.carry_out(now.state);
      returned = returned || has(now.state, training_state::return_to_best);
      double const metric = training.now.step(now.values[0], static_cast<double>(run));
      double const validation = step % between == 0 ? training.now.validation() : not_a_number;
      tuning.tell({.metric = metric, .restorable = true, .validation = validation, .covers = coverage::step});
    }
    if (returned && training.now.validation() < 0.7) ++ended_well;  // it would be above 1 otherwise
  }
  INFO("horizon " << horizon << ", a validation each " << between);
  // One that was best from the first validation on may be a metric that should grow.
  CHECK(ended_well >= 4);
}

TEST_CASE("a run of unknown length is located too, and trains well from any start") {
  auto const objective = GENERATE(hook::step, hook::first);
  for (double const start : {1e-6, 0.3, 100.0}) {
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      support::trainee<support::noisy_quadratic> training{support::noisy_quadratic(seed, 0.1)};
      search_space const space{real{"lr", 1e-6, 1e2, scale::log}};
      settings const chosen{.parameters = space, .tuning = {.objective = objective, .seed = seed}};
      suggestions tuning = make_pipeline(chosen, space.at({{"lr", start}}));
      for (std::size_t step = 0; step < 2000; ++step) {
        suggestion const& now = tuning.ask();
        training.carry_out(now.state);
        tuning.tell({.metric = training.now.step(now.values[0]), .restorable = true, .covers = coverage::step});
      }
      INFO("start " << start << " seed " << seed);
      CHECK(training.now.loss() < 0.1);
      CHECK_FALSE(training.origin);
      CHECK_FALSE(training.trial);
    }
  }
}

TEST_CASE("groups with rates of their own, and a rate on a linear scale, train well from any start") {
  auto const [first, second] = GENERATE(
      table<parameter, parameter>({{real{"body.lr", 1e-6, 1e2, scale::log}, real{"head.lr", 1e-6, 1e2, scale::log}},
                                   {real{"lr", 0.0, 1e2}, real{"momentum", 0.0, 0.9}}}));
  search_space const space{first, second};
  for (double const start : {1e-6, 0.3, 100.0}) {
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      support::trainee<support::noisy_quadratic> training{support::noisy_quadratic(seed, 0.1)};
      settings const chosen{.parameters = space, .tuning = {.objective = hook::step, .seed = seed, .horizon = 1000}};
      configuration begin = space.center();
      begin.assign(0, start);
      if (name_of(second) == "head.lr") begin.assign(1, start);
      suggestions tuning = make_pipeline(chosen, begin);
      for (std::size_t step = 0; step < 1000; ++step) {
        suggestion const& now = tuning.ask();
        training.carry_out(now.state);
        double const body = now.values[0];
        double const rate = name_of(second) == "head.lr" ? std::sqrt(body * now.values[1]) : body;
        tuning.tell({.metric = training.now.step(rate), .restorable = true, .covers = coverage::step});
      }
      INFO(name_of(first) << " from " << start << ", seed " << seed);
      CHECK(training.now.loss() < 0.1);
    }
  }
}

TEST_CASE("groups with rates of their own undo what is tried of the best validation, too") {
  search_space const space{real{"group0.lr", 1e-5, 1.0, scale::log}, real{"group1.lr", 1e-5, 1.0, scale::log}};
  suggestions tuning = make_pipeline(
      {.tuning = {.objective = hook::step, .seed = 1, .horizon = 1000, .range_test = false}}, space.center());
  support::trainee<int> training{};
  int trials = 0;
  for (int step = 1; step <= 1000; ++step) {
    suggestion const& now = tuning.ask();
    training.carry_out(without(now.state, training_state::return_to_good));  // throws where nothing was saved
    if (has(now.events, event::best_tried)) ++trials;
    bool const moved = step > 500;
    double const level = moved ? 1.5 : 1.0 / (1.0 + 0.02 * step);
    double const noise = 0.003 * std::sin(12.9898 * step);
    tuning.tell({.metric = level + noise,
                 .restorable = true,
                 .validation = step % 20 == 0 ? level + 0.1 * (moved ? -1.0 : 1.0) + 0.5 * noise : not_a_number,
                 .covers = coverage::step});
  }
  CHECK(trials >= 1);
  CHECK_FALSE(training.trial);
}

TEST_CASE("where the metric turns out to be that of epochs, one stage locates the rate, and no copy is left over") {
  std::size_t const horizon = GENERATE(20U, 400U);
  for (double const start : {1e-5, 0.3, 50.0}) {
    support::trainee<support::noisy_quadratic> training{support::noisy_quadratic(3, 0.1)};
    search_space const space{real{"lr", 1e-6, 1e2, scale::log}};
    settings const chosen{.parameters = space, .tuning = {.seed = 3, .horizon = horizon}};
    suggestions tuning = make_pipeline(chosen, space.at({{"lr", start}}));
    int ends = 0;
    for (std::size_t epoch = 0; epoch < horizon; ++epoch) {
      suggestion const& now = tuning.ask();
      training.carry_out(now.state);
      if (has(now.events, event::range_test_ended)) ++ends;
      double loss = 0.0;
      for (int step = 0; step < 100; ++step) loss += training.now.step(now.values[0]) / 100.0;
      tuning.tell({.metric = loss, .restorable = true, .covers = coverage::epoch});
    }
    INFO("start " << start << ", " << horizon << " epochs");
    CHECK(ends == 1);
    CHECK_FALSE(training.origin);
    CHECK_FALSE(training.trial);
    CHECK(training.now.loss() < 0.1);
  }
}

TEST_CASE("what comes before the first step, and seems to be of an epoch, spoils no run of steps") {
  bool const fails = GENERATE(false, true);
  hook const objective = GENERATE(hook::first, hook::step);
  if (objective == hook::step && !fails) return;  // an epoch it is, whatever was announced
  for (std::size_t const times : {1U, 2U, 3U}) {
    CAPTURE(fails, times);
    support::trainee<support::noisy_quadratic> training{support::noisy_quadratic(3, 0.1)};
    search_space const space{real{"lr", 1e-6, 1e2, scale::log}};
    suggestions tuning =
        make_pipeline({.parameters = space, .tuning = {.objective = objective, .seed = 3, .horizon = 1000}},
                      space.at({{"lr", 1e-3}}));
    for (std::size_t step = 0; step < 1000; ++step) {
      suggestion const& now = tuning.ask();
      training.carry_out(now.state);  // throws where there is nothing to return to
      observation seen{.restorable = true, .covers = coverage::step};
      if (step >= times) {
        seen.metric = training.now.step(now.values[0]);
      } else {
        seen.covers = coverage::epoch;
        seen.metric = training.now.loss();
        if (fails) seen.result = outcome::failed;
      }
      tuning.tell(seen);
    }
    CHECK_FALSE(training.origin);
    CHECK_FALSE(training.trial);
    CHECK(training.now.loss() < 0.05);
  }
}
