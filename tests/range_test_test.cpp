#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <coroutine>
#include <cstddef>
#include <utility>
#include <vector>

#include "support/allocations.hpp"
#include "support/landings.hpp"
#include "support/noisy_quadratic.hpp"

import autotunenet;
import autotunenet.testing;
import support.trainee;

using namespace autotunenet;
using namespace support;

namespace {

suggestions told_so_often(configuration start, int times) {
  suggestion one{.number = 1, .values = std::move(start)};
  for (; times > 0; --times, ++one.number) co_yield one;
}

}  // namespace

TEST_CASE("weights are back where they were before the sweep began") {
  trainee<noisy_quadratic> training{noisy_quadratic(5)};
  auto tuner = following(rate_space().at({{"lr", 50.0}})) | range_test({.horizon = 4000});
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
  auto tuner = following(rate_space().at({{"lr", 1e-3}, {"momentum", 0.7}})) | range_test({.horizon = 4000});
  trained const result = run(tuner, training, 200);
  double previous = 0.0;
  int passes = 0;
  for (std::size_t i = 0; i < result.all.size(); ++i) {
    suggestion const& s = result.all[i];
    CHECK(s.number == i + 1);
    CHECK(s.values["momentum"] == 0.7);
    if (i == 0 || i >= result.extra) {
      CHECK(s.why != reason::range_test);
      continue;
    }
    CHECK(s.why == reason::range_test);
    double const rate = s.values["lr"];
    if (has(s.state, training_state::return_to_origin)) {
      ++passes;
      previous = 0.0;
    }
    bool const lowest = rate == 1e-6;  // held for some metrics
    CHECK((rate > previous || (lowest && previous == rate)));
    CHECK(rate <= 1e2);
    previous = rate;
  }
  CHECK(passes == 2);
}

TEST_CASE("the tuner inside learns where it begins, and how much of the run is gone") {
  course log;
  noisy_quadratic training(2);
  auto tuner = following(rate_space().at({{"lr", 1e-6}}), &log) | range_test({.horizon = 4000});
  trained const result = run(tuner, training, 200);
  CHECK(log.applied.front() == result.landed);
  CHECK(log.steps.front() == static_cast<double>(result.extra) + 1.0);
  CHECK(log.steps.back() == 1.0);
}

TEST_CASE("a trainer that cannot restore its state is never swept") {
  auto tuner = following(rate_space().at({{"lr", 1e-3}})) | range_test({.horizon = 4000});
  for (int step = 0; step < 50; ++step) {
    suggestion const& s = tuner.ask();
    CHECK(s.values["lr"] == 1e-3);
    CHECK(s.why != reason::range_test);
    CHECK(s.events == (step == 1 ? event::not_located | event::not_restorable : event::none));
    tuner.tell({.metric = 1.0});
  }
}

TEST_CASE("a run too short for a sweep goes without") {
  noisy_quadratic training(1);
  auto tuner = following(rate_space().at({{"lr", 1e-3}})) | range_test({.horizon = 100});
  trained const result = run(tuner, training, 100);
  for (suggestion const& s : result.all) CHECK(s.state == training_state::keep);
}

TEST_CASE("a run that is too short for a sweep says so, and one over epochs leaves the search to others") {
  for (coverage const covers : {coverage::step, coverage::epoch}) {
    auto tuner = following(rate_space().at({{"lr", 1e-3}})) | range_test({.horizon = 100});
    event told = event::none;
    for (int step = 0; step < 100; ++step) {
      suggestion const& s = tuner.ask();
      told |= s.events;
      CHECK(s.state == training_state::keep);
      CHECK(s.values["lr"] == 1e-3);
      tuner.tell({.metric = 1.0, .restorable = true, .covers = covers});
    }
    CHECK(told == (covers == coverage::step ? event::not_located | event::run_too_short : event::none));
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
  auto tuner = moving(rate_space().at({{"lr", 1e-5}, {"momentum", 0.5}})) | range_test({.horizon = 4000});
  noisy_quadratic training(1);
  std::size_t landed = 0;
  std::vector<double> momentum;
  for (std::size_t step = 0; step < 1000; ++step) {
    suggestion const& s = tuner.ask();
    if (landed == 0 && has(s.events, event::range_test_ended)) landed = step;
    momentum.push_back(s.values["momentum"]);
    tuner.tell({.metric = training.step(s.values[0]), .restorable = true});
  }
  REQUIRE(landed > 0);
  double const first = momentum[landed];
  CHECK(std::ranges::count(momentum.begin() + static_cast<std::ptrdiff_t>(landed),
                           momentum.begin() + static_cast<std::ptrdiff_t>(landed + 250), first) == 250);
  CHECK(std::ranges::count(momentum.begin() + 500, momentum.end(), 0.2) > 100);
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
  auto tuner = marking(rate_space().at({{"lr", 1e-5}})) | range_test({.horizon = 4000});
  noisy_quadratic training(1);
  for (int step = 0; step < 1000; ++step) {
    suggestion const& s = tuner.ask();
    bool const both = has(s.state, training_state::mark_trial) && has(s.state, training_state::drop_trial);
    CHECK_FALSE(both);
    tuner.tell({.metric = training.step(s.values[0]), .restorable = true});
  }
}

TEST_CASE("a tuner that ends while its start is being proven ends the run, whatever was due") {
  for (int times = 1; times < 20; ++times) {
    trainee<trained_before> training{{.tolerated = 4e-3}};
    auto tuner = told_so_often(rate_space().center(), times) | range_test({.horizon = 4000});
    int steps = 0;
    while (suggestion const* s = tuner.poll()) {
      training.carry_out(s->state);
      tuner.tell({.metric = training.now.step(s->values["lr"]), .restorable = true});
      REQUIRE(++steps < 600);
    }
    CHECK(tuner.finished());
  }
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

TEST_CASE("a step after the sweep allocates nothing") {
  noisy_quadratic training(6);
  auto tuner = following(rate_space().center()) | range_test({.horizon = 4000});
  run(tuner, training, 200);
  allocation_count count;
  for (int step = 0; step < 100; ++step) {
    tuner.ask();
    tuner.tell({.metric = 1.0, .restorable = true});
  }
  CHECK(count.since() == 0);
}
