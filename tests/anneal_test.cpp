#include <algorithm>
#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <limits>
#include <numbers>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "support/allocations.hpp"

import autotunenet;
import autotunenet.testing;

using namespace autotunenet;
using Catch::Matchers::WithinRel;
using support::course;
using support::following;
using support::quiet_nan;

namespace {

search_space space() { return {real{"lr", 1e-6, 1.0, scale::log}, real{"momentum", 0.0, 0.9}}; }

/// Suggests one configuration for ever, and keeps what it is told.
struct told {
  std::vector<double> applied;
  std::vector<double> upper;
};
suggestions constant(configuration values, told* log = nullptr) {
  suggestion s{.values = std::move(values)};
  for (;;) {
    ++s.number;
    observation const& seen = co_yield s;
    s.why = reason::hold;
    if (!log) continue;
    log->applied.push_back(seen.applied.empty() ? s.values[0] : seen.applied[0]);
    log->upper.push_back(seen.within.upper.empty() ? 1.0 : seen.within.upper[0]);
  }
}

/// A run in which each stretch of ten observations ends with a validation.
struct validated_run {
  double training_slope = -0.01;
  std::size_t shift_at = 1000;
  anneal_options options{};
  bool restorable = true;
};
/// Where the rate ends, and what was told and asked for on the way.
struct outcome_of_validations {
  double rate = 0.0;
  event events = event::none;
  int marks = 0, returns = 0;
  std::vector<bool> relocated;
};
outcome_of_validations validated(std::vector<double> const& validations, validated_run const& of = {}) {
  course told;
  auto tuner = following(space().at({{"lr", 0.1}}), &told) | anneal(of.options);
  outcome_of_validations found;
  auto const ask = [&] {
    suggestion const& now = tuner.ask();
    found.events |= now.events;
    found.marks += has(now.state, training_state::mark_best) ? 1 : 0;
    found.returns += has(now.state, training_state::return_to_best) ? 1 : 0;
    return now.values["lr"];
  };
  double training = 10.0;
  std::size_t stretch = 0;
  for (double const validation : validations) {
    if (stretch++ == of.shift_at) training += 5.0;
    for (int t = 0; t < 10; ++t) {
      ask();
      training += of.training_slope;
      tuner.tell({.metric = training, .restorable = of.restorable, .validation = t < 9 ? quiet_nan : validation});
    }
  }
  found.rate = ask();
  found.relocated = told.relocated;
  return found;
}

/// The last learning rate where training cannot be put back.
double rate_after(std::vector<double> const& validations, double training_slope = -0.01, anneal_options options = {},
                  event* events = nullptr, std::size_t shift_at = 1000) {
  auto const found = validated(validations, {training_slope, shift_at, std::move(options), false});
  if (events) *events |= found.events;
  return found.rate;
}

std::vector<double> const turns_up{3.0, 2.0, 1.5, 1.3, 1.25, 1.4, 1.8};

}  // namespace

TEST_CASE("the tuner inside thinks in peaks: its own value comes back bit for bit") {
  told log;
  auto tuner = constant(space().at({{"lr", 0.1}}), &log) | anneal({.horizon = 50});
  for (int t = 0; t < 80; ++t) {
    suggestion const& s = tuner.ask();
    tuner.tell({.metric = 1.0, .applied = s.values.values()});
  }
  for (double const peak : log.applied) REQUIRE(peak == 0.1);
}

TEST_CASE("a value that was changed outside is divided by the shape on its way in, and so is the reach") {
  told log;
  auto tuner = constant(space().at({{"lr", 0.1}}), &log) |
               anneal({.horizon = 100, .shape = annealing::linear, .hold = 0.0, .floor = 0.0});
  for (int t = 0; t < 50; ++t) {
    tuner.ask();
    tuner.tell(1.0);
  }
  tuner.ask();
  std::vector<double> const applied{0.02, 0.5};
  std::vector<double> const lower{0.0, 0.0};
  std::vector<double> const upper{space().to_unit(0, 0.03), 1.0};
  tuner.tell({.metric = 1.0, .applied = applied, .within = {lower, upper}});
  CHECK_THAT(log.applied.back(), WithinRel(0.04, 1e-9));
  CHECK_THAT(space().from_unit(0, log.upper.back()), WithinRel(0.03 / 0.49, 1e-9));
}

TEST_CASE("the tuner inside stays within an octave of the peak that a trial has set") {
  for (double const wish : {1e-4, 0.9}) {
    auto tuner = constant(space().at({{"lr", wish}})) | anneal({.horizon = 1000});
    tuner.ask();
    std::vector<double> const landed{0.02, 0.5};
    tuner.tell({.metric = 1.0, .applied = landed, .relocated = true});
    for (int t = 1; t < 100; ++t) {
      suggestion const& s = tuner.ask();
      double const shape = 0.5 * (1.0 + std::cos(std::numbers::pi * t / 1000.0));
      REQUIRE_THAT(s.values["lr"], WithinRel((wish < 0.02 ? 0.01 : 0.04) * shape, 1e-9));
      tuner.tell({.metric = 1.0, .applied = s.values.values()});
    }
  }
}

TEST_CASE("the tuner inside hears of the peak that ran, also where it is only said that what was suggested did") {
  told log;
  auto tuner = constant(space().at({{"lr", 0.9}}), &log) | anneal({.horizon = 1000});
  tuner.ask();
  std::vector<double> const landed{0.02, 0.5};
  tuner.tell({.metric = 1.0, .applied = landed, .relocated = true});
  tuner.ask();
  tuner.tell(1.0);
  CHECK_THAT(log.applied.back(), WithinRel(0.04, 1e-9));
}

TEST_CASE("what a guard holds while the shape rises is no lower peak") {
  told log;
  auto tuner = constant(space().at({{"lr", 0.1}}), &log) | anneal({.horizon = 1000, .rise = 0.02});
  for (int t = 0; t < 15; ++t) {
    suggestion const& s = tuner.ask();
    std::vector<double> const lowered{0.00125, 0.5};
    tuner.tell({.metric = 1.0, .applied = t < 4 ? s.values.values() : std::span<double const>(lowered)});
  }
  CHECK_THAT(log.applied.back(), WithinRel(0.005, 1e-3));
}

TEST_CASE("a remedy from outside may lower the peak further than the tuner inside can") {
  auto tuner = constant(space().at({{"lr", 0.02}})) | anneal({.horizon = 100000});
  auto const run = [&](double lr, bool relocated) {
    tuner.ask();
    std::vector<double> const ran{lr, 0.5};
    tuner.tell({.metric = 1.0, .applied = ran, .relocated = relocated});
  };
  run(0.02, true);
  run(0.002, false);
  CHECK_THAT(tuner.ask().values["lr"], WithinRel(0.004, 1e-6));
}

TEST_CASE("without a horizon the tuner inside goes where it likes") {
  auto tuner = constant(space().at({{"lr", 1e-4}})) | anneal();
  tuner.ask();
  std::vector<double> const landed{0.02, 0.5};
  tuner.tell({.metric = 1.0, .applied = landed, .relocated = true});
  CHECK(tuner.ask().values["lr"] == 1e-4);
}

TEST_CASE("steps count towards the horizon, however few observations they come in") {
  auto tuner = constant(space().at({{"lr", 0.1}})) | anneal({.horizon = 100});
  tuner.ask();
  tuner.tell({.metric = 1.0, .steps = 50.0});
  CHECK_THAT(tuner.ask().values["lr"], WithinRel(0.05, 1e-9));
}

TEST_CASE("without a horizon the rate holds while the metric falls, and halves at each plateau") {
  std::mt19937_64 engine(3);
  auto noise = [&] { return static_cast<double>(engine() >> 11) * 0x1p-53 - 0.5; };
  auto tuner = constant(space().at({{"lr", 0.1}})) | anneal({.plateau_window = 50});
  double level = 100.0;
  for (int t = 0; t < 500; ++t) {
    tuner.ask();
    tuner.tell(level + noise());
    level -= 0.05;
  }
  CHECK(tuner.ask().values["lr"] == 0.1);
  for (int t = 0; t < 2000; ++t) {
    tuner.ask();
    tuner.tell(level + noise());
  }
  CHECK(tuner.ask().values["lr"] < 0.06);
}

TEST_CASE("progress that is slow beside the noise is no plateau, and a metric that never moves is one") {
  std::mt19937_64 engine(3);
  std::normal_distribution<double> noise;
  auto slow = constant(space().at({{"lr", 0.1}})) | anneal();
  auto still = constant(space().at({{"lr", 0.1}})) | anneal();
  auto still_epochs = constant(space().at({{"lr", 0.1}})) | anneal();
  for (int t = 0; t < 20000; ++t) {
    slow.ask();
    slow.tell(-0.001 * t + noise(engine));
    still.ask();
    still.tell(0.25);
  }
  for (int epoch = 0; epoch < 50; ++epoch) {
    still_epochs.ask();
    still_epochs.tell({.metric = 0.25, .covers = coverage::epoch});
  }
  CHECK(slow.ask().values["lr"] > 0.02);
  CHECK(still.ask().values["lr"] < 1e-3);
  CHECK(still_epochs.ask().values["lr"] < 0.05);
}

TEST_CASE("the shape is lowered where validation turns up while training goes on falling") {
  anneal_options const linear{.horizon = 250, .shape = annealing::linear, .hold = 1.0};
  for (anneal_options const& options : {anneal_options{}, linear}) {
    event events = event::none;
    CHECK_THAT(rate_after(turns_up, -0.01, options, &events), WithinRel(0.1 * 0.25, 1e-9));
    CHECK(events == event::overfitting);
  }
  CHECK_THAT(rate_after(turns_up, -0.01, {.overfitting_factor = 0.5}), WithinRel(0.1 * 0.5, 1e-9));
  CHECK(rate_after(turns_up, -0.01, {.overfitting_factor = 1.0}) == 0.1);
  std::vector<double> goes_on = turns_up;
  goes_on.push_back(1.9);
  CHECK_THAT(rate_after(goes_on), WithinRel(0.1 / 16.0, 1e-9));
}

TEST_CASE("where a lower rate does not bring validation down again, training goes back to where it was best") {
  std::vector<double> goes_on = turns_up;
  goes_on.push_back(1.9);
  goes_on.push_back(1.85);
  auto const improvements = static_cast<int>(std::ranges::find(goes_on, 1.25) - goes_on.begin()) + 1;
  auto const found = validated(goes_on);
  CHECK(found.marks == improvements);
  CHECK(found.returns == 1);
  CHECK_THAT(found.rate, WithinRel(0.1 * 0.25 * 0.25, 1e-9));  // once more, after the return
  // The tuner inside learns of it.
  CHECK(std::ranges::count(found.relocated, true) == 1);
  // Without a state to go back to, or leave to do so, the rate falls each time.
  for (auto const& without :
       {validated(goes_on, {.restorable = false}), validated(goes_on, {.options = {.return_to_best = false}})}) {
    CHECK(without.marks == 0);
    CHECK(without.returns == 0);
    CHECK_THAT(without.rate, WithinRel(0.1 / 64.0, 1e-9));
  }
  CHECK(validated(goes_on, {.options = {.overfitting_factor = 1.0}}).marks == 0);
}

TEST_CASE("where validation comes down again at the lower rate, training does not go back") {
  std::vector<double> recovers = turns_up;
  for (double const validation : {1.2, 1.15, 1.12}) recovers.push_back(validation);
  auto const found = validated(recovers);
  CHECK(found.returns == 0);
  CHECK_THAT(found.rate, WithinRel(0.1 * 0.25, 1e-9));
}

TEST_CASE("validations that come often are averaged: the best of many noisy ones is no loss of those that follow") {
  std::mt19937_64 engine(5);
  std::normal_distribution<double> noise(0.0, 0.1);
  auto tuner = constant(space().at({{"lr", 0.1}})) | anneal({.horizon = 4000, .shape = annealing::linear, .hold = 1.0});
  for (int step = 0; step < 4000; ++step) {
    tuner.ask();
    double const level = 1.0 - step / 4000.0;
    tuner.tell({.metric = level, .validation = step % 10 == 0 ? level + noise(engine) : quiet_nan});
  }
  CHECK(tuner.ask().values["lr"] == 0.1);
}

TEST_CASE("where the data have changed, what was overfitting to the old ones no longer lowers the shape") {
  std::vector<double> shifted = turns_up;
  shifted.push_back(5.0);
  CHECK_THAT(rate_after(shifted, -0.01, {}, nullptr, 7), WithinRel(0.1, 1e-9));
  // From there on it may happen again.
  for (double const validation : {4.0, 3.0, 2.8, 2.7, 3.4}) shifted.push_back(validation);
  CHECK_THAT(rate_after(shifted, -0.01, {}, nullptr, 7), WithinRel(0.1 * 0.25, 1e-9));
}

TEST_CASE("the units of training and validation do not matter to what counts as overfitting") {
  for (auto const& [factor, shift] : {std::pair{1e6, 0.0}, std::pair{1e-6, 0.0}, std::pair{1.0, -100.0}}) {
    std::vector<double> other;
    for (double const v : turns_up) other.push_back(factor * v + shift);
    CHECK(rate_after(other) == rate_after(turns_up));
  }
}

TEST_CASE("what is not overfitting does not lower the shape") {
  CHECK(rate_after({3.0, 2.0, 1.5, 1.3, 1.25}) == 0.1);
  CHECK(rate_after({3.0, 2.0, 1.5, 1.8, 1.3, 1.6, 1.2}) == 0.1);       // noise
  CHECK(rate_after(turns_up, 0.0) == 0.1);                             // training has stopped as well
  CHECK(rate_after(turns_up, 0.01) == 0.1);                            // training suffers
  CHECK(rate_after({0.7, 0.75, 0.8, 0.82, 0.83, 0.84, 0.85}) == 0.1);  // an accuracy
  CHECK(rate_after({1.0}) == 0.1);
  CHECK(rate_after({1.0, 2.0}) == 0.1);
  CHECK(rate_after({1.0, 1.0, 1.0, 1.0}) == 0.1);
}

TEST_CASE("a run that goes on after its horizon is told once") {
  auto tuner = constant(space().at({{"lr", 0.1}})) | anneal({.horizon = 50});
  std::vector<std::size_t> told_at;
  for (std::size_t t = 0; t < 100; ++t) {
    suggestion const& now = tuner.ask();
    if (has(now.events, event::horizon_passed)) told_at.push_back(t);
    if (t > 50) CHECK_THAT(now.values["lr"], WithinRel(1e-6, 1e-9));
    tuner.tell(1.0);
  }
  CHECK(told_at == std::vector<std::size_t>{51});
}

TEST_CASE("annealing a space without the parameter changes nothing") {
  search_space const other{real{"dropout", 0.0, 0.5}};
  auto tuner = constant(other.at({{"dropout", 0.25}})) | anneal({.horizon = 10});
  for (int t = 0; t < 20; ++t) {
    CHECK(tuner.ask().values["dropout"] == 0.25);
    tuner.tell(1.0);
  }
}

TEST_CASE("annealing refuses what cannot be annealed") {
  CHECK_THROWS_AS(anneal({.hold = 1.5}), invalid_option);
  CHECK_THROWS_AS(anneal({.floor = -0.1}), invalid_option);
  CHECK_THROWS_AS(anneal({.overfitting_factor = 0.0}), invalid_option);
  CHECK_THROWS_AS(anneal({.overfitting_factor = 1.1}), invalid_option);
  CHECK_THROWS_WITH(anneal({.plateau_window = 1}), "anneal: plateau_window = 1 must be at least 2");
  CHECK_THROWS_WITH(anneal({.plateau_factor = 1.0}), "anneal: plateau_factor = 1 must lie in (0, 1)");
  search_space const whole{integer{"lr", 1, 5}};
  auto tuner = constant(whole.center()) | anneal({.horizon = 10});
  CHECK_THROWS_AS(tuner.ask(), invalid_option);
}

TEST_CASE("an annealed step allocates nothing, nor one of a space without the parameter") {
  for (search_space const& any : {space(), search_space{real{"dropout", 0.0, 0.5}}}) {
    auto tuner = constant(any.center()) | anneal({.horizon = 1000});
    tuner.ask();
    tuner.tell(1.0);
    support::allocation_count count;
    for (int t = 0; t < 1000; ++t) {
      tuner.ask();
      tuner.tell(1.0);
    }
    CHECK(count.since() == 0);
  }
}

TEST_CASE("what is observed in the wrong size is an error that names both sizes") {
  for (std::vector<double> const& wrong : {std::vector<double>{0.1}, std::vector<double>(5000, 0.1)}) {
    auto const refused = [](observation const& seen, std::string const& why) {
      auto tuner = constant(space().center()) | anneal({.horizon = 100});
      tuner.ask();
      CHECK_THROWS_WITH(tuner.tell(seen), why);
    };
    std::string const size = std::to_string(wrong.size());
    refused({.metric = 1.0, .applied = wrong},
            "observation.applied has " + size + " values, but the search space has 2 parameters");
    refused({.metric = 1.0, .within = {wrong, wrong}}, "observation.within has " + size + " lower and " + size +
                                                           " upper bounds, but the search space has 2 parameters");
  }
}

TEST_CASE("a reach with bounds on one side only is open on the other") {
  told log;
  auto tuner = constant(space().at({{"lr", 0.1}}), &log) | anneal({.horizon = 100});
  tuner.ask();
  std::vector<double> const half{0.5, 0.5};
  tuner.tell({.metric = 1.0, .within = {half, {}}});
  tuner.ask();
  tuner.tell({.metric = 1.0, .within = {{}, half}});
  tuner.ask();
  CHECK(log.upper.front() == 1.0);
  CHECK(log.upper.back() < 0.51);
}
