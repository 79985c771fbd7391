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
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "support/allocations.hpp"
#include "support/noisy_quadratic.hpp"

import autotunenet;
import autotunenet.testing;
import support.trainee;

using namespace autotunenet;
using Catch::Matchers::WithinRel;
using support::course;
using support::following;
using support::noisy_quadratic;
using support::trainee;

namespace {

search_space space() { return {real{"lr", 1e-6, 1e2, scale::log}, real{"momentum", 0.0, 0.9}}; }

/// Trains the quadratic as an adapter would, until the sweep has landed.
struct trained {
  std::vector<suggestion> all;
  double landed = 0.0;
  std::size_t extra = 0;
};
trained run(suggestions& tuner, noisy_quadratic& training, std::size_t most, double scale = 1.0, double shift = 0.0) {
  trained result;
  trainee<noisy_quadratic> trained_one{training};
  for (std::size_t step = 0; step < most; ++step) {
    suggestion const& s = tuner.ask();
    result.all.push_back(s);
    trained_one.carry_out(s.state);
    if (has(s.events, event::range_test_ended)) {
      result.landed = s.values[0];
      result.extra = step;
    }
    double const loss = trained_one.now.step(s.values[0]);
    tuner.tell({.metric = scale * loss + shift, .restorable = true});
  }
  training = trained_one.now;
  return result;
}

/// A run of its own, not much longer than its sweep, and without pilots.
trained sweep(noisy_quadratic training, configuration start, std::size_t horizon) {
  auto tuner = following(std::move(start)) | range_test({.horizon = horizon, .pilot = 0.0});
  return run(tuner, training, 110);
}

/// A network that has nothing left to learn: its loss is noise about a level that high rates raise for good, by as
/// much.
struct trained_before {
  double tolerated;  // the highest rate that does no harm
  std::mt19937_64 engine{};
  std::normal_distribution<double> noise{0.0, 0.05};
  double harm = 0.0;

  double step(double rate) {
    double const loss = 1.0 + harm + noise(engine);
    if (rate > tolerated) harm += rate;
    return loss;
  }
  bool unharmed() const { return harm == 0.0; }
};

/// A network that soon knows how frequent the classes are, which is little more than noise, and then is slow to begin
/// to learn. Rates too high leave it at the former for ever.
struct slow_to_begin {
  double tolerated;
  std::mt19937_64 engine{};
  std::normal_distribution<double> noise{0.0, 0.1};
  double frequencies = 0.0, learned = 0.0;
  bool dead = false;

  double step(double rate) {
    double const loss = rate > 10.0 ? 50.0 : 2.0 + 0.2 * std::exp(-frequencies) - 1.9 * learned + noise(engine);
    frequencies += 100.0 * rate;
    dead = dead || rate > tolerated;
    learned = dead ? 0.0 : learned + std::min(rate, 5e-3) * (0.02 + learned) * (1.0 - learned) * 20.0;
    return loss;
  }
  bool unharmed() const { return !dead; }
};

/// A network that learns at once, and slowly forgets all of it again where a rate has been too high for too long.
struct forgets_slowly {
  double tolerated;
  double patience;  // training steps at rates too high that do no harm
  std::mt19937_64 engine{};
  std::normal_distribution<double> noise{0.0, 0.1};
  double strained = 0.0, learned = 0.0;

  double step(double rate) {
    double const loss = rate > 10.0 ? 50.0 : 2.0 - learned + noise(engine);
    if (rate > tolerated) strained += 1.0;
    learned += 10.0 * std::min(rate, 0.01) * (1.0 - learned);
    if (strained > patience) learned *= 0.85;
    return loss;
  }
  bool unharmed() const { return strained <= patience; }
};

suggestions told_so_often(configuration start, int times) {
  suggestion one{.number = 1, .values = std::move(start)};
  for (; times > 0; --times, ++one.number) co_yield one;
}

/// Suggests what ran last, and goes back to its best validation once.
suggestions going_back(configuration start, std::uint64_t when) {
  suggestion next{.values = std::move(start)};
  for (;;) {
    next.state = ++next.number == when     ? training_state::return_to_best
                 : next.number == when - 1 ? training_state::mark_best
                                           : training_state::keep;
    observation const& seen = co_yield next;
    if (!seen.applied.empty()) next.values.assign(seen.applied);
  }
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

template <class Network>
std::vector<double> landings_of(trainee<Network>& training, double start, std::size_t horizon, std::size_t steps) {
  auto tuner = following(space().at({{"lr", start}})) | range_test({.horizon = horizon});
  std::vector<double> found;
  for (std::size_t step = 0; step < steps; ++step) {
    suggestion const& s = tuner.ask();
    training.carry_out(s.state);
    if (has(s.events, event::range_test_ended | event::backed_off)) {
      CHECK(training.now.unharmed());
      // To come back from a pilot is no landing of its own.
      if (found.empty() || found.back() != s.values["lr"]) found.push_back(s.values["lr"]);
    }
    tuner.tell({.metric = training.now.step(s.values["lr"]), .restorable = true});
  }
  CHECK_FALSE(training.origin);
  CHECK_FALSE(training.trial);
  return found;
}

std::vector<double> landings_of(trained_before network, double start, std::size_t horizon) {
  trainee<trained_before> training{network};
  return landings_of(training, start, horizon, 2000);
}

/// @param part of the loss at first that is left at most
void check_short_runs(std::size_t horizon, double part) {
  for (double const start : {1e-6, 100.0}) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      noisy_quadratic training(seed);
      auto tuner = following(space().at({{"lr", start}})) | range_test({.horizon = horizon});
      trained const result = run(tuner, training, horizon);
      INFO("start " << start << " seed " << seed << " landed " << result.landed);
      CHECK(result.extra <= 29);  // the sweep, and the first step, before which nobody knows whether state can go back
      CHECK(training.loss() < part * noisy_quadratic(seed).loss());
    }
  }
}

/// Where training begins, and begins again, if it stays where it was after each landing.
struct landings {
  std::vector<double> values;
  bool dropped = false;
};
landings of_dead_training(range_test_options options) {
  trainee<noisy_quadratic> training{noisy_quadratic(7)};
  double const level = training.now.loss();
  auto tuner = following(space().center()) | range_test(std::move(options));
  noisy_quadratic::weights const before = training.now.state();
  landings found;
  for (int step = 0; step < 2000; ++step) {
    suggestion const& s = tuner.ask();
    training.carry_out(s.state);
    if (has(s.events, event::range_test_ended | event::backed_off)) {
      CHECK(training.now.state() == before);
      found.values.push_back(s.values["lr"]);
    }
    found.dropped = found.dropped || has(s.state, training_state::drop_origin);
    double const loss = training.now.step(s.values["lr"]);
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
      auto tuner = following(space().at({{"lr", start}})) | range_test({.horizon = 4000});
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
  auto tuner = following(space().at({{"lr", 1e-3}})) | range_test({.horizon = 4000});
  double const landed = first_landing_of(tuner, metric).value;
  CHECK(landed > 1e-3);
  CHECK(landed < 1e-2);
}

TEST_CASE("weights are back where they were before the sweep began") {
  trainee<noisy_quadratic> training{noisy_quadratic(5)};
  auto tuner = following(space().at({{"lr", 50.0}})) | range_test({.horizon = 4000});
  noisy_quadratic::weights const before = training.now.state();
  for (bool landed = false; !landed;) {
    suggestion const& s = tuner.ask();
    training.carry_out(s.state);
    landed = has(s.events, event::range_test_ended);
    if (landed) {
      CHECK(training.now.state() == before);
      CHECK(s.why == reason::start);
    }
    tuner.tell({.metric = training.now.step(s.values["lr"]), .restorable = true});
  }
}

TEST_CASE("a sweep rises inside the bounds, moves nothing else, and says what it is") {
  noisy_quadratic training(1);
  auto tuner = following(space().at({{"lr", 1e-3}, {"momentum", 0.7}})) | range_test({.horizon = 4000});
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
  course log;
  noisy_quadratic training(2);
  auto tuner = following(space().at({{"lr", 1e-6}}), &log) | range_test({.horizon = 4000});
  trained const result = run(tuner, training, 200);
  CHECK(log.applied.front() == result.landed);
  CHECK(log.steps.front() == static_cast<double>(result.extra) + 1.0);
  CHECK(log.steps.back() == 1.0);
}

TEST_CASE("a trainer that cannot restore its state is never swept") {
  auto tuner = following(space().at({{"lr", 1e-3}})) | range_test({.horizon = 4000});
  for (int step = 0; step < 50; ++step) {
    suggestion const& s = tuner.ask();
    CHECK(s.values["lr"] == 1e-3);
    CHECK(s.why != reason::range_test);
    CHECK(has(s.events, event::not_located) == (step == 1));
    tuner.tell({.metric = 1.0});
  }
}

TEST_CASE("a very short run affords the shortest sweep") { check_short_runs(120, 0.4); }

TEST_CASE("a run too short for a sweep goes without") {
  noisy_quadratic training(1);
  auto tuner = following(space().at({{"lr", 1e-3}})) | range_test({.horizon = 100});
  trained const result = run(tuner, training, 100);
  for (suggestion const& s : result.all) CHECK(s.state == training_state::keep);
}

TEST_CASE("where nothing makes the metric fall, the start is kept") {
  auto tuner = following(space().at({{"lr", 1e-3}})) | range_test({.horizon = 4000});
  for (int step = 0; step < 300; ++step) {
    suggestion const& s = tuner.ask();
    if (has(s.events, event::range_test_ended)) CHECK(s.values["lr"] == 1e-3);
    tuner.tell({.metric = 1.0 + 0.01 * ((step * 7919) % 11), .restorable = true});
  }
}

TEST_CASE("a start that breaks training is moved too where an annealing stage inside would rise to it") {
  for (double const start : {1e-3, 5.0, 8.0, 10.0}) {
    auto tuner = following(space().at({{"lr", start}})) | anneal({.horizon = 4000, .rise = 0.02}) |
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
  auto tuner = following(space().at({{"lr", 0.01}})) | range_test({.horizon = 4000});
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

TEST_CASE("one step of a metric that moves by steps is no divergence") {
  constexpr double grain = 1.0 / 500.0;  // the error rate of 500 examples, which half of it is at first
  for (std::size_t const horizon : {0U, 200U, 1000U}) {
    auto tuner = following(space().at({{"lr", 1e-5}})) | range_test({.horizon = horizon, .pilot = 0.0});
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
    auto tuner = following(space().at({{"lr", 1e-5}})) | range_test({.horizon = horizon, .proof = 1.0, .pilot = 0.0});
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

TEST_CASE("waves after a landing are no harm") {
  for (std::size_t const horizon : {1000U, 4000U}) {
    auto tuner = following(space().at({{"lr", 1e-5}})) | range_test({.horizon = horizon});
    noisy_quadratic training(1);
    trainee<noisy_quadratic> trained_one{training};
    int since = -1;
    for (int step = 0; step < 400; ++step) {
      suggestion const& s = tuner.ask();
      trained_one.carry_out(s.state);
      CHECK_FALSE(has(s.events, event::backed_off));
      if (has(s.events, event::range_test_ended) && since < 0) since = 0;
      double const loss = trained_one.now.step(s.values[0]);
      double const wave = since >= 0 && since < 10 ? 2.0 * noisy_quadratic(1).loss() : 0.0;
      if (since >= 0) ++since;
      tuner.tell({.metric = loss + wave, .restorable = true});
    }
  }
}

TEST_CASE("rare metrics that are far out after a landing are no harm") {
  for (std::size_t const horizon : {1000U, 4000U}) {
    auto tuner = following(space().at({{"lr", 1e-5}})) | range_test({.horizon = horizon, .pilot = 0.0});
    trainee<noisy_quadratic> training{noisy_quadratic(1)};
    int since = -1;
    bool backed_off = false;
    for (int step = 0; step < 200; ++step) {
      suggestion const& s = tuner.ask();
      training.carry_out(s.state);
      backed_off = backed_off || has(s.events, event::backed_off);
      if (has(s.events, event::range_test_ended)) since = 0;
      double const loss = training.now.step(s.values[0]);
      tuner.tell({.metric = since >= 0 && since++ % 12 == 3 ? 100.0 * loss : loss, .restorable = true});
    }
    INFO("horizon " << horizon);
    CHECK(since > 20);
    CHECK_FALSE(backed_off);
  }
}

TEST_CASE("until a landing has proven itself no other parameter moves") {
  auto const moving = [](configuration start) -> suggestions {
    suggestion next{.values = std::move(start)};
    for (;; ++next.number) {
      observation const& seen = co_yield next;
      if (!seen.applied.empty()) next.values.assign(seen.applied);
      next.values.assign(1, next.number % 2 == 0 ? 0.2 : 0.8);
    }
  };
  auto tuner = moving(space().at({{"lr", 1e-5}, {"momentum", 0.5}})) | range_test({.horizon = 4000});
  noisy_quadratic training(1);
  std::size_t landed = 0;
  std::vector<double> momentum;
  for (std::size_t step = 0; step < 1000; ++step) {
    suggestion const& s = tuner.ask();
    if (has(s.events, event::range_test_ended)) landed = step;
    momentum.push_back(s.values["momentum"]);
    tuner.tell({.metric = training.step(s.values[0]), .restorable = true});
  }
  REQUIRE(landed > 0);
  double const first = momentum[landed];
  CHECK(std::ranges::count(momentum.begin() + static_cast<std::ptrdiff_t>(landed),
                           momentum.begin() + static_cast<std::ptrdiff_t>(landed + 250), first) == 250);
  CHECK(std::ranges::count(momentum.begin() + 500, momentum.end(), 0.2) > 100);
}

TEST_CASE("pilots do not need restarts") {
  auto const trials = [](std::size_t restarts) {
    auto tuner = following(space().at({{"lr", 1e-5}})) | range_test({.horizon = 1000, .restarts = restarts});
    noisy_quadratic training(1);
    trained const result = run(tuner, training, 600);
    return std::ranges::count(result.all, reason::range_test, &suggestion::why);
  };
  CHECK(trials(0) == trials(2));
}

TEST_CASE("what the tuner inside marks is not dropped with what was marked before") {
  auto const marking = [](configuration start) -> suggestions {
    suggestion next{.values = std::move(start)};
    for (;; ++next.number) {
      next.state = next.number > 0 ? training_state::mark_trial : training_state::keep;
      observation const& seen = co_yield next;
      if (!seen.applied.empty()) next.values.assign(seen.applied);
    }
  };
  auto tuner = marking(space().at({{"lr", 1e-5}})) | range_test({.horizon = 4000});
  noisy_quadratic training(1);
  for (int step = 0; step < 1000; ++step) {
    suggestion const& s = tuner.ask();
    bool const both = has(s.state, training_state::mark_trial) && has(s.state, training_state::drop_trial);
    CHECK_FALSE(both);
    tuner.tell({.metric = training.step(s.values[0]), .restorable = true});
  }
}

TEST_CASE("a run that is too short for a sweep says so, and one over epochs leaves the search to others") {
  for (coverage const covers : {coverage::step, coverage::epoch}) {
    auto tuner = following(space().at({{"lr", 1e-3}})) | range_test({.horizon = 100});
    event told = event::none;
    for (int step = 0; step < 100; ++step) {
      suggestion const& s = tuner.ask();
      told |= s.events;
      CHECK(s.state == training_state::keep);
      CHECK(s.values["lr"] == 1e-3);
      tuner.tell({.metric = 1.0, .restorable = true, .covers = covers});
    }
    CHECK(told == (covers == coverage::step ? event::not_located : event::none));
  }
}

TEST_CASE("where training fails without a warning, that is where it diverges") {
  for (auto const& [start, lands_at_least, lands_at_most] : {std::array{1e-6, 0.03, 0.4}, std::array{0.1, 0.1, 0.1}}) {
    auto tuner = following(space().at({{"lr", start}})) | range_test({.horizon = 4000, .restarts = 0});
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

TEST_CASE("where no value makes a difference the start is kept, and that is told") {
  auto tuner = following(space().at({{"lr", 1e-3}})) | range_test({.horizon = 1000});
  event told = event::none;
  double last = 0.0;
  std::mt19937_64 engine(1);
  std::normal_distribution<double> noise(1.0, 0.1);
  for (int step = 0; step < 300; ++step) {
    suggestion const& s = tuner.ask();
    told |= s.events;
    last = s.values["lr"];
    tuner.tell({.metric = noise(engine), .restorable = true});
  }
  CHECK(last == 1e-3);
  CHECK(has(told, event::not_located));
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

TEST_CASE("what does harm at once is undone, and training goes on far lower") {
  for (std::size_t const horizon : {0U, 1000U, 4000U}) {
    std::vector<double> const found = landings_of({.tolerated = 4e-3}, 1e-6, horizon);
    INFO("horizon " << horizon);
    REQUIRE(found.size() == 2);
    CHECK(found[0] > 4e-3);
    CHECK(found[1] == found[0] / 10.0);
  }
}

TEST_CASE("what keeps a network from training, which only the metric's noise shows, is found out") {
  for (std::size_t const horizon : {0U, 1500U, 4000U}) {
    trainee<slow_to_begin> training{{.tolerated = 0.03}};
    std::vector<double> const found = landings_of(training, 0.1, horizon, horizon > 0 ? horizon : 4000);
    INFO("horizon " << horizon << " landed " << found.front() << " then " << found.back() << " of " << found.size());
    CHECK(found.front() > 0.03);
    CHECK(found.back() < 0.03);
    CHECK(training.now.learned > 0.9);
  }
}

TEST_CASE("training that has proven itself and slowly comes undone begins again with a quarter") {
  // A short run begins higher.
  for (auto const& [horizon, tolerated] : {std::pair{0U, 0.03}, std::pair{1000U, 0.07}, std::pair{4000U, 0.03}}) {
    double const run = horizon > 0 ? static_cast<double>(horizon) : 2500.0;
    trainee<forgets_slowly> training{{.tolerated = tolerated, .patience = 0.1 * run}};
    std::vector<double> const found = landings_of(training, 1e-4, horizon, static_cast<std::size_t>(run));
    INFO("horizon " << horizon << " landed " << found.front() << " then " << found.back() << " of " << found.size());
    REQUIRE(found.size() >= 2);
    CHECK(found[found.size() - 2] > tolerated);
    CHECK(found.back() == found[found.size() - 2] / 4.0);
    CHECK(training.now.learned > 0.9);
  }
}

/// Where a network that nothing harms lands, each time, if its observations come by way of `told(seen, step,
/// landings)`.
template <class Told>
std::vector<double> landings_if(Told told) {
  trainee<forgets_slowly> training{{.tolerated = 100.0, .patience = 1e9}};
  auto tuner = following(space().at({{"lr", 1e-4}})) | range_test({.horizon = 1000, .pilot = 0.0});
  std::vector<double> landed;
  for (int step = 0; step < 1000; ++step) {
    suggestion const& s = tuner.ask();
    training.carry_out(s.state);
    if (has(s.events, event::range_test_ended | event::backed_off)) landed.push_back(s.values["lr"]);
    observation seen{.metric = training.now.step(s.values["lr"]), .restorable = true};
    told(seen, step, landed.size());
    tuner.tell(seen);
  }
  CHECK_FALSE(training.origin);
  return landed;
}

TEST_CASE("data that grow harder again and again cost a run one new beginning") {
  auto const landed = landings_if(
      [](observation& seen, int step, std::size_t) { seen.metric += 0.25 * ((step > 200) + (step > 420)); });
  REQUIRE(landed.size() == 2);
  CHECK(landed[1] == landed[0] / 4.0);
}

TEST_CASE("trouble that a guard takes back does not make a run begin again") {
  for (bool const taken_back : {true, false}) {
    auto const landed = landings_if([&](observation& seen, int step, std::size_t) {
      if (step >= 200 && step < 210) seen.metric += 3.0;
      if (taken_back && step == 209) seen.result = outcome::failed;
    });
    CHECK(landed.size() == (taken_back ? 1 : 2));
  }
}

TEST_CASE("a run that began again since its training came undone may then be slower than the sweep was") {
  auto const landed = landings_if([](observation& seen, int step, std::size_t landings) {
    bool const again = landings >= 2;
    if (again)
      seen.metric += 0.5;  // a smaller fall than the sweep's
    else if (step > 200)
      seen.metric += 0.3;
  });
  CHECK(landed.size() == 2);
}

TEST_CASE("training that goes back to its best validation while it is watched has not come undone") {
  trainee<forgets_slowly> training{{.tolerated = 100.0, .patience = 1e9}};
  auto tuner = going_back(space().at({{"lr", 1e-4}}), 150) | range_test({.horizon = 1000, .pilot = 0.0});
  int landed = 0;
  bool went_back = false;
  for (int step = 0; step < 1000; ++step) {
    suggestion const& s = tuner.ask();
    if (has(s.state, training_state::return_to_best)) {
      CHECK(training.origin);
      went_back = true;
    }
    training.carry_out(s.state);
    landed += has(s.events, event::range_test_ended | event::backed_off) ? 1 : 0;
    tuner.tell({.metric = training.now.step(s.values["lr"]) + (went_back ? 0.25 : 0.0), .restorable = true});
  }
  CHECK(went_back);
  CHECK(landed == 1);
  CHECK_FALSE(training.origin);
}

TEST_CASE("a tuner that ends while its start is being proven ends the run, whatever was due") {
  for (int times = 1; times < 20; ++times) {
    trainee<trained_before> training{{.tolerated = 4e-3}};
    auto tuner = told_so_often(space().center(), times) | range_test({.horizon = 4000});
    int steps = 0;
    while (suggestion const* s = tuner.poll()) {
      training.carry_out(s->state);
      tuner.tell({.metric = training.now.step(s->values["lr"]), .restorable = true});
      REQUIRE(++steps < 600);
    }
    CHECK(tuner.finished());
  }
}

TEST_CASE("NaN, infinity and failures end a sweep, and are never landed on") {
  for (int kind = 0; kind < 3; ++kind) {
    noisy_quadratic training(3);
    auto tuner = following(space().at({{"lr", 1e-3}})) | range_test({.horizon = 4000});
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
  auto first = following(space().center()) | range_test({.horizon = 4000});
  auto second = following(space().center()) | range_test({.horizon = 4000});
  CHECK(run(first, plain, 150).landed == run(second, scaled, 150, 1024.0, -4096.0).landed);
}

TEST_CASE("a range test refuses what cannot be swept") {
  CHECK_THROWS_AS(range_test({.budget = 1.5}), invalid_option);
  CHECK_THROWS_AS(range_test({.back_off = 0.5}), invalid_option);
  CHECK_THROWS_AS(range_test({.back_off = 2.0, .least_back_off = 3.0}), invalid_option);
  CHECK_THROWS_AS(range_test({.least_steps = 2}), invalid_option);
  for (parameter const& never : {parameter(integer{"lr", 1, 100}), parameter(real{"head.lr", -1.0, 0.0})}) {
    search_space const space({never});
    auto tuner = following(space.center()) | range_test({.horizon = 4000});
    CHECK_THROWS_AS(tuner.ask(), invalid_option);
  }
  search_space const other{real{"dropout", 0.0, 1.0}};
  auto fine = following(other.center()) | range_test({.horizon = 4000});
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
  auto tuner = following(space().center()) | range_test({.horizon = 4000});
  trained const result = run(tuner, training, 1300);
  bool dropped = false;
  for (suggestion const& s : result.all) {
    CHECK_FALSE(has(s.events, event::backed_off));
    dropped = dropped || has(s.state, training_state::drop_origin);
  }
  CHECK(dropped);
}

namespace {

struct learner {
  double learned = 0.0;
  int high = 0;  // steps at high rates
};
struct short_run {
  std::vector<suggestion> all;
  std::vector<double> landed;
  double lost = 0.0;
  bool kept_copies = false;
};
template <class Metric>
short_run run_short(Metric metric, std::size_t horizon, course* log = nullptr) {
  short_run result;
  trainee<learner> training{};
  auto tuner = following(space().at({{"lr", 1e-3}}), log) | range_test({.horizon = horizon});
  for (std::size_t step = 0; step < horizon; ++step) {
    suggestion const& s = tuner.ask();
    result.all.push_back(s);
    training.carry_out(s.state);
    if (has(s.events, event::range_test_ended | event::backed_off)) result.landed.push_back(s.values["lr"]);
    training.progress += 1.0;
    double const noise = 0.01 * static_cast<double>((step * 7919) % 11) / 11.0;
    tuner.tell({.metric = metric(training.now, s.values["lr"]) + noise, .restorable = true});
  }
  result.lost = static_cast<double>(horizon) - training.progress;
  result.kept_copies = training.trial || training.origin;
  return result;
}

/// What has been learned grows with the rate up to a value that serves best.
auto learning(double best) {
  return [best](learner& now, double rate) {
    now.learned += std::min(rate / best, best / rate);
    return 2.0 - std::tanh(now.learned);
  };
}
/// The same, but rates above `high` undo all of it after so many steps.
auto forgetting(double high, int after) {
  return [high, after, learn = learning(1.0)](learner& now, double rate) {
    if (rate > high && now.high++ >= after) now.learned = -1.0;
    return learn(now, rate);
  };
}

}  // namespace

TEST_CASE("a short run goes on with a pilot of a higher value where that does as well, and knows what it cost") {
  course log;
  short_run const result = run_short(learning(1.0), 1000, &log);
  REQUIRE(result.landed.size() == 2);
  CHECK(result.landed[1] >= 2.0 * result.landed[0]);
  CHECK_FALSE(result.kept_copies);
  CHECK(result.lost <= 0.11 * 1000.0 + 35.0);
  double all = 0.0;
  for (double const steps : log.steps) all += steps;
  CHECK(all == 1000.0);
}

TEST_CASE("a pilot that does worse is undone, and training goes on where it was") {
  double const found = run_short(learning(1.0), 1000).landed.front();
  short_run const result = run_short(forgetting(1.5 * found, 20), 1000);
  REQUIRE(result.landed.size() == 2);
  CHECK(std::ranges::any_of(result.all, [](suggestion const& s) {
    return s.why == reason::hold && has(s.state, training_state::return_to_trial);
  }));
  CHECK(result.landed[0] == found);
  CHECK(result.landed[1] == found);
  CHECK(result.lost < 100.0);
  CHECK_FALSE(result.kept_copies);
}

TEST_CASE("what a pilot promised has to hold, else the run goes back to where it was before") {
  double const found = run_short(learning(1.0), 1000).landed.front();
  short_run const result = run_short(forgetting(1.5 * found, 40), 1000);
  REQUIRE(result.landed.size() == 3);
  CHECK(result.landed[0] == found);
  CHECK(result.landed[1] > 1.5 * found);
  CHECK(result.landed[2] == found);
  CHECK_FALSE(result.kept_copies);
}

TEST_CASE("a run that has landed next to its upper bound has no pilot above it") {
  noisy_quadratic training(2);
  search_space const low{real{"lr", 1e-6, 0.05, scale::log}};
  auto tuner = following(low.center()) | range_test({.horizon = 1000});
  trained const result = run(tuner, training, 1000);
  CHECK(result.landed > 0.04);
  CHECK(result.extra <= 61);
}

TEST_CASE("runs that can afford branches, and runs too short to tell values apart, have no pilots") {
  for (std::size_t const horizon : {250U, 2500U}) {
    short_run const result = run_short(learning(1.0), horizon);
    CHECK(result.landed.size() == 1);
  }
}

TEST_CASE("a step after the sweep allocates nothing") {
  noisy_quadratic training(6);
  auto tuner = following(space().center()) | range_test({.horizon = 4000});
  run(tuner, training, 200);
  support::allocation_count count;
  for (int step = 0; step < 100; ++step) {
    tuner.ask();
    tuner.tell({.metric = 1.0, .restorable = true});
  }
  CHECK(count.since() == 0);
}
