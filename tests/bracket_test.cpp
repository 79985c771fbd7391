#include <array>
#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "support/allocations.hpp"
#include "support/noisy_quadratic.hpp"

import autotunenet;
import autotunenet.testing;
import support.trainee;

using namespace autotunenet;
using support::course;
using support::following;
using support::noisy_quadratic;
using support::trainee;

namespace {

search_space space() { return {real{"lr", 1e-6, 1e2, scale::log}, real{"momentum", 0.0, 0.9}}; }

struct trained {
  std::vector<suggestion> all;
  double landed = 0.0, lost = 0.0;
};
/// @param epoch trains one epoch at a rate, and returns its metric
template <class State>
trained run(suggestions& tuner, trainee<State>& training, int epochs, std::function<double(State&, double)> epoch) {
  trained result;
  for (int i = 0; i < epochs; ++i) {
    suggestion const& s = tuner.ask();
    result.all.push_back(s);
    training.carry_out(s.state);
    if (has(s.events, event::range_test_ended)) result.landed = s.values["lr"];
    training.progress += 1.0;
    tuner.tell({.metric = epoch(training.now, s.values["lr"]), .restorable = true, .covers = coverage::epoch});
  }
  result.lost = epochs - training.progress;
  training.carry_out(tuner.ask().state);
  CHECK_FALSE(training.trial);
  CHECK_FALSE(training.origin);
  return result;
}

double quadratic_epoch(noisy_quadratic& network, double rate) {
  double sum = 0.0;
  for (int step = 0; step < 100; ++step) sum += network.step(rate);
  return sum / 100.0;
}
trained on_quadratic(double start, std::uint64_t seed, int epochs = 20, double scale = 1.0, double shift = 0.0) {
  trainee<noisy_quadratic> training{noisy_quadratic(seed)};
  auto tuner = following(space().at({{"lr", start}})) | bracket({.horizon = static_cast<std::size_t>(epochs)});
  trained const result = run<noisy_quadratic>(tuner, training, epochs, [&](noisy_quadratic& network, double rate) {
    return scale * quadratic_epoch(network, rate) + shift;
  });
  INFO("start " << start << " seed " << seed << " landed " << result.landed);
  CHECK(training.now.loss() < 0.15 * noisy_quadratic(seed).loss());
  return result;
}

/// A rectifier's fate: a rate too high kills it, and no rate brings it back to life.
struct mortal {
  double loss = 2.3;
  bool dead = false;
};
double mortal_epoch(mortal& network, double rate) {
  network.dead = network.dead || rate > 0.01;
  if (network.dead) return 2.3;
  network.loss *= 1.0 - 0.5 * rate / (rate + 1e-3);
  return network.loss;
}

}  // namespace

TEST_CASE("a run that is told of its epochs alone trains well from any start") {
  for (double const start : {1e-5, 1e-4, 1e-2, 0.3, 3.0, 100.0})
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      trained const result = on_quadratic(start, seed);
      CHECK(result.lost <= 5.0);
    }
}

TEST_CASE("a start that is nearly right is left nearly where it is, and costs two epochs") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    trained const result = on_quadratic(0.3, seed);
    CHECK(result.landed > 0.05);
    CHECK(result.landed < 1.0);
    CHECK(result.lost == 2.0);
  }
}

TEST_CASE("a network that a high rate has killed is begun anew") {
  for (double const start : {0.03, 0.3, 3.0, 100.0}) {
    trainee<mortal> training{};
    auto tuner = following(space().at({{"lr", start}})) | bracket({.horizon = 20});
    trained const result = run<mortal>(tuner, training, 20, mortal_epoch);
    INFO("start " << start << " landed " << result.landed);
    CHECK_FALSE(training.now.dead);
    CHECK(training.now.loss < 0.2);
    CHECK(result.lost <= 5.0);
  }
}

TEST_CASE("a short run that begins far too low trains all the same") {
  for (int const epochs : {5, 7, 10, 14}) {
    trainee<mortal> training{};
    auto tuner = following(space().at({{"lr", 1e-5}})) | bracket({.horizon = static_cast<std::size_t>(epochs)});
    trained const result = run<mortal>(tuner, training, epochs, mortal_epoch);
    INFO(epochs << " epochs, landed " << result.landed);
    CHECK_FALSE(training.now.dead);
    CHECK(result.landed > 3e-4);
    CHECK(result.landed <= 1e-2);
    CHECK(result.lost <= (epochs < 10 ? 2.0 : 3.0));
  }
}

TEST_CASE("what is landed on and then breaks the network is undone, and training begins again clearly lower") {
  for (double const broken : {50.0, std::numeric_limits<double>::quiet_NaN()}) {
    trainee<mortal> training{};
    auto tuner = following(space().at({{"lr", 1e-4}})) | bracket({.horizon = 12}) | guard();
    double landed = 0.0, again = 0.0;
    for (int epoch = 0; epoch < 12; ++epoch) {
      suggestion const& s = tuner.ask();
      training.carry_out(s.state);
      double const rate = s.values["lr"];
      bool const lands = has(s.events, event::range_test_ended);
      if (lands) landed = rate;
      if (has(s.events, event::backed_off)) again = rate;
      double const metric = mortal_epoch(training.now, rate);
      tuner.tell({.metric = lands ? broken : metric, .restorable = true, .covers = coverage::epoch});
    }
    CHECK(landed > 1e-3);
    CHECK(again > landed / 10.0);
    CHECK(again < landed / 4.0);
    CHECK(training.now.loss < 1.0);
    CHECK_FALSE(training.origin);
  }
}

TEST_CASE("where the start seems best by chance and then nothing improves, the search goes on below it") {
  // Dead at 3: the metric is noise, lowest at the start.
  std::array<double, 6> const noise{2.30, 2.34, 2.31, 2.32, 2.33, 2.31};
  trainee<mortal> training{};
  std::size_t epochs = 0;
  auto tuner = following(space().at({{"lr", 3.0}})) | bracket({.horizon = 40});
  run<mortal>(tuner, training, 40, [&](mortal& network, double rate) {
    double const metric = mortal_epoch(network, rate);
    return network.dead ? noise[epochs++ % noise.size()] : metric;
  });
  CHECK_FALSE(training.now.dead);
}

TEST_CASE("NaN, infinity and failures are values too high, also at the start and everywhere") {
  for (int kind = 0; kind < 3; ++kind)
    for (double const limit : {0.5, 1e-9}) {
      noisy_quadratic training(3);
      auto tuner = following(space().at({{"lr", 10.0}})) | bracket({.horizon = 20});
      double rate = 0.0;
      for (int epoch = 0; epoch < 20; ++epoch) {
        rate = tuner.ask().values["lr"];
        observation seen{
            .metric = quadratic_epoch(training, std::min(rate, 0.1)), .restorable = true, .covers = coverage::epoch};
        if (rate > limit) {
          if (kind == 0) seen.metric = std::numeric_limits<double>::quiet_NaN();
          if (kind == 1) seen.metric = std::numeric_limits<double>::infinity();
          if (kind == 2) seen.result = outcome::failed;
        }
        tuner.tell(seen);
      }
      CHECK(rate < 0.5);
    }
}

TEST_CASE("a scaled and shifted metric leads to the same values") {
  for (double const start : {1e-4, 0.1, 10.0}) {
    trained const plain = on_quadratic(start, 4), scaled = on_quadratic(start, 4, 20, 1024.0, -4096.0);
    REQUIRE(plain.all.size() == scaled.all.size());
    for (std::size_t i = 0; i < plain.all.size(); ++i) {
      double const one = plain.all[i].values["lr"], other = scaled.all[i].values["lr"];
      CHECK(std::abs(one - other) <= 1e-6 * one);
    }
  }
}

TEST_CASE("the search stays inside the bounds, moves nothing else, and says what it is") {
  search_space const narrow{real{"lr", 1e-3, 0.2, scale::log}, real{"momentum", 0.0, 0.9}};
  for (double const start : {1e-3, 0.01, 0.2}) {
    trainee<noisy_quadratic> training{noisy_quadratic(1)};
    auto tuner = following(narrow.at({{"lr", start}, {"momentum", 0.7}})) | bracket({.horizon = 20});
    trained const result = run<noisy_quadratic>(tuner, training, 20, quadratic_epoch);
    bool ended = false;
    for (std::size_t i = 0; i < result.all.size(); ++i) {
      suggestion const& s = result.all[i];
      ended = ended || has(s.events, event::range_test_ended);
      CHECK(s.number == i + 1);
      CHECK(s.values["lr"] >= 1e-3);
      CHECK(s.values["lr"] <= 0.2);
      CHECK(s.values["momentum"] == 0.7);
      CHECK((s.why == reason::range_test) == (i > 0 && !ended));
    }
    CHECK(ended);
  }
}

TEST_CASE("the tuner inside learns where a search has ended, and how much of the run is gone") {
  course log;
  trainee<noisy_quadratic> training{noisy_quadratic(2)};
  auto tuner = following(space().at({{"lr", 1e-5}}), &log) | bracket({.horizon = 20});
  trained const result = run<noisy_quadratic>(tuner, training, 20, quadratic_epoch);
  REQUIRE_FALSE(log.applied.empty());
  CHECK(log.relocated.front());
  CHECK(log.applied.front() == result.landed);
  double sum = 0.0;
  for (double const steps : log.steps) sum += steps;
  CHECK(sum == 20.0);
}

TEST_CASE("single steps, a trainer that cannot restore, and another space pass unchanged") {
  for (coverage const covers : {coverage::unknown, coverage::step, coverage::epoch}) {
    auto tuner = following(space().at({{"lr", 1e-3}})) | bracket({.horizon = 100});
    CHECK(tuner.ask().state == training_state::mark_origin);
    for (int step = 0; step < 50; ++step) {
      suggestion const& s = tuner.ask();
      CHECK(s.values["lr"] == 1e-3);
      CHECK(s.why != reason::range_test);
      if (step > 0) CHECK(has(s.state, training_state::drop_origin) == (step == 1));
      bool const told = step == 1 && covers == coverage::epoch;
      CHECK(s.events == (told ? event::not_located | event::not_restorable : event::none));
      tuner.tell({.metric = 1.0, .restorable = covers != coverage::epoch, .covers = covers});
    }
  }
  search_space const other{real{"dropout", 0.0, 1.0}};
  auto tuner = following(other.center()) | bracket({.horizon = 20});
  CHECK(tuner.ask().state == training_state::keep);
}

TEST_CASE("a long run holds each value for more than an epoch, and an unknown horizon is searched too") {
  trained const lengthy = on_quadratic(1e-4, 5, 120);
  std::size_t held = 0;
  while (lengthy.all[held].values["lr"] == lengthy.all.front().values["lr"]) ++held;
  CHECK(held == 3);
  trainee<noisy_quadratic> training{noisy_quadratic(5)};
  auto tuner = following(space().at({{"lr", 1e-4}})) | bracket();
  run<noisy_quadratic>(tuner, training, 40, quadratic_epoch);
  CHECK(training.now.loss() < 0.15 * noisy_quadratic(5).loss());
}

TEST_CASE("a horizon of more epochs than runs mostly have is asked about with the first of them, and no other") {
  for (std::size_t const horizon : {200, 2000}) {
    for (bool const restorable : {true, false}) {
      for (coverage const covers : {coverage::step, coverage::epoch}) {
        auto tuner = following(space().at({{"lr", 1e-3}})) | bracket({.horizon = horizon});
        for (int i = 0; i < 20; ++i) {
          bool const asked = i == 1 && covers == coverage::epoch && horizon == 2000;
          CHECK(has(tuner.ask().events, event::far_horizon) == asked);
          tuner.tell({.metric = 1.0 - 0.01 * i, .restorable = restorable, .covers = covers});
        }
      }
    }
  }
}

TEST_CASE("a copy that was left out while the first value runs does not end a search") {
  auto tuner = following(space().at({{"lr", 1e-4}})) | bracket({.horizon = 200});
  event events = event::none;
  for (int epoch = 0; epoch < 20; ++epoch) {
    events |= tuner.ask().events;
    tuner.tell({.metric = 1.0 - 0.01 * epoch, .restorable = epoch != 1, .covers = coverage::epoch});
  }
  CHECK(has(events, event::range_test_began));
  CHECK_FALSE(has(events, event::not_located));
}

TEST_CASE("where the copy that undoes a value is not made, the search ends with one epoch of it") {
  for (double const start : {1e-4, 1e-2, 0.3, 3.0}) {
    for (int const refused : {1, 2, 3}) {
      course log;
      trainee<noisy_quadratic> training{noisy_quadratic(3)};
      auto tuner = following(space().at({{"lr", start}}), &log) | bracket({.horizon = 20});
      double before = start;  // at the last copy that was made
      int marks = 0, ended = 0;
      for (int epoch = 0; epoch < 20; ++epoch) {
        suggestion const& s = tuner.ask();
        bool const marked = has(s.state, training_state::mark_trial);
        bool const missing = marked && ++marks == refused;
        INFO("start " << start << ", without copy " << refused << ", epoch " << epoch);
        CHECK(marks <= refused);
        CHECK_FALSE((marks == refused && has(s.state, training_state::return_to_trial)));
        if (ended == 0 && marks == refused && !missing) {
          ended = epoch;
          CHECK(s.why == reason::start);
          CHECK(std::abs(std::log(s.values["lr"] / before)) < 1e-9);
          CHECK(has(s.events, event::range_test_ended));
          CHECK(has(s.events, event::not_restorable));
          CHECK(has(s.events, event::not_located) == (before == start));
        }
        if (ended > 0) CHECK(s.why != reason::range_test);
        training.carry_out(missing ? without(s.state, training_state::mark_trial) : s.state);
        double const rate = s.values["lr"];
        tuner.tell({.metric = quadratic_epoch(training.now, rate), .restorable = !missing, .covers = coverage::epoch});
        if (!tuner.finished() && has(tuner.ask().state, training_state::mark_trial)) before = rate;
      }
      training.carry_out(tuner.ask().state);
      CHECK_FALSE(training.trial);
      CHECK_FALSE(training.origin);
      double sum = 0.0;
      for (double const steps : log.steps) sum += steps;
      CHECK(sum == 20.0);
    }
  }
}

TEST_CASE("a value that fails and has no copy to be undone by is undone from the beginning") {
  trainee<mortal> training{};
  auto tuner = following(space().at({{"lr", 1e-3}})) | bracket({.horizon = 5});
  bool fails = false;
  for (int epoch = 0; epoch < 5; ++epoch) {
    suggestion const& s = tuner.ask();
    if (std::exchange(fails, has(s.state, training_state::mark_trial))) {
      CHECK(has(s.state, training_state::return_to_origin));
      CHECK_FALSE(has(s.state, training_state::return_to_trial));
    }
    training.carry_out(without(s.state, training_state::mark_trial));
    double const metric = fails ? std::numeric_limits<double>::quiet_NaN() : mortal_epoch(training.now, s.values["lr"]);
    tuner.tell({.metric = metric, .restorable = !fails, .covers = coverage::epoch});
  }
  CHECK_FALSE(training.now.dead);
}

TEST_CASE("a search ends where something else sets the value, and leaves it alone from there") {
  for (double const start : {0.01, 1.0}) {
    for (std::size_t const horizon : {20U, 80U, 400U}) {
      int const rung = std::min(3, static_cast<int>(horizon / 40) + (horizon < 40 ? 1 : 0));
      trainee<noisy_quadratic> training{noisy_quadratic(3)};
      auto tuner = following(space().at({{"lr", start}})) | bracket({.horizon = horizon});
      int tried = 0;
      bool ended = false;
      for (int epoch = 0; epoch < 60; ++epoch) {
        configuration applied = tuner.ask().values;
        suggestion const& s = tuner.ask();
        ended = ended || has(s.events, event::range_test_ended);
        training.carry_out(s.state);
        training.progress += 1.0;
        tried += s.why == reason::range_test ? 1 : 0;
        CHECK_FALSE((ended && s.why == reason::range_test));
        applied.assign(0, 0.01);
        tuner.tell({.metric = quadratic_epoch(training.now, 0.01),
                    .applied = applied.values(),
                    .restorable = true,
                    .covers = coverage::epoch});
      }
      INFO("start " << start << ", horizon " << horizon << ", tried " << tried);
      CHECK(ended);
      CHECK(tried >= 1);
      CHECK(tried <= rung);
      CHECK(training.progress == 60 - tried);
      CHECK_FALSE(training.trial);
      CHECK_FALSE(training.origin);
    }
  }
}

TEST_CASE("where a start that fails is all that runs, training begins again at it") {
  trainee<mortal> training{};
  auto tuner = following(space().at({{"lr", 1e-3}})) | bracket({.horizon = 20});
  for (int epoch = 0; epoch < 20; ++epoch) {
    suggestion const& s = tuner.ask();
    training.carry_out(s.state);
    training.progress += 1.0;
    if (epoch >= 2) CHECK(s.why != reason::range_test);
    configuration applied = s.values;
    applied.assign(0, 1e-3);
    double const metric = mortal_epoch(training.now, 1e-3);
    tuner.tell({.metric = epoch == 0 ? std::numeric_limits<double>::quiet_NaN() : metric,
                .applied = applied.values(),
                .restorable = true,
                .covers = coverage::epoch});
  }
  CHECK(training.progress == 18.0);
}

TEST_CASE("an epoch at another value does not end the search of a long run") {
  int tried[2]{};
  for (int const other : {0, 1}) {
    auto tuner = following(space().at({{"lr", 1e-4}})) | bracket({.horizon = 200});
    for (int epoch = 0; epoch < 60; ++epoch) {
      suggestion const& s = tuner.ask();
      tried[other] += s.why == reason::range_test ? 1 : 0;
      configuration applied = s.values;
      if (other == 1 && epoch % 3 == 0) applied.assign(0, 0.5 * s.values["lr"]);
      tuner.tell(
          {.metric = 1.0 - 0.01 * epoch, .applied = applied.values(), .restorable = true, .covers = coverage::epoch});
    }
  }
  CHECK(tried[0] > 5);
  CHECK(tried[1] == tried[0]);
}

TEST_CASE("a run that cannot afford a search goes without") {
  auto tuner = following(space().at({{"lr", 1e-3}})) | bracket({.horizon = 4});
  for (int epoch = 0; epoch < 4; ++epoch) {
    CHECK(tuner.ask().state == training_state::keep);
    CHECK(tuner.ask().values["lr"] == 1e-3);
    tuner.tell({.metric = 1.0, .restorable = true, .covers = coverage::epoch});
  }
}

TEST_CASE("a search refuses what it cannot do") {
  CHECK_THROWS_AS(bracket({.rung = 1.5}), invalid_option);
  CHECK_THROWS_AS(bracket({.ratio = 1.0}), invalid_option);
  CHECK_THROWS_AS(bracket({.budget = -0.1}), invalid_option);
  CHECK_THROWS_AS(bracket({.rescue_budget = std::numeric_limits<double>::quiet_NaN()}), invalid_option);
  search_space const whole{integer{"lr", 1, 100}};
  auto tuner = following(whole.center()) | bracket({.horizon = 20});
  CHECK_THROWS_AS(tuner.ask(), invalid_option);
}

TEST_CASE("no epoch of a search allocates") {
  noisy_quadratic training(6);
  auto tuner = following(space().center()) | bracket({.horizon = 20});
  tuner.ask();
  support::allocation_count count;
  for (int epoch = 0; epoch < 20; ++epoch) {
    double const rate = tuner.ask().values["lr"];
    tuner.tell({.metric = quadratic_epoch(training, rate), .restorable = true, .covers = coverage::epoch});
  }
  CHECK(count.since() == 0);
}
