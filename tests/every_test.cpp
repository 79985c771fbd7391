#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

import autotunenet;
import autotunenet.testing;

using namespace autotunenet;
using namespace support;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

namespace {

search_space space() { return {real{"lr", 1e-4, 1e-1, scale::log}, categorical{"kind", {1.0, 2.0, 3.0}}}; }

/// Counts the category up with each suggestion, modulo 3.
void step_kind(suggestion& next) {
  next.why = reason::explore;
  next.values.assign(1, next.values[1] == 2.0 ? 0.0 : next.values[1] + 1.0);
}

}  // namespace

TEST_CASE("the tuner moves at each n-th observation and is held in between") {
  auto tuner = scripted(space().at({{"kind", 1.0}}), step_kind) | every(3);
  auto const made = run(tuner, times(7, 1.0));
  std::vector<double> kinds;
  for (suggestion const& s : made) kinds.push_back(s.values[1]);
  CHECK(kinds == std::vector<double>{0, 0, 0, 1, 1, 1, 2, 2});
  CHECK(made[3].why == reason::explore);
  for (std::size_t const held : {1U, 2U, 4U, 5U, 7U}) CHECK(made[held].why == reason::hold);
}

TEST_CASE("suggestions count up by one, held or not") {
  auto tuner = scripted(space().center(), step_kind) | every(4);
  auto const made = run(tuner, times(10, 1.0));
  for (std::size_t i = 0; i < made.size(); ++i) CHECK(made[i].number == i + 1);
}

TEST_CASE("a stretch's first metric is left out of its mean, for it belongs to the stretch before") {
  support::log told;
  auto tuner = scripted(space().center(), step_kind, &told) | every(4);
  run(tuner, {100.0, 1.0, 2.0, 6.0, 100.0, 7.0, 7.0, 7.0});
  REQUIRE(told.size() == 2);
  CHECK_THAT(told[0].seen.metric, WithinAbs(3.0, 1e-15));
  CHECK(told[1].seen.metric == 7.0);
}

TEST_CASE("a stretch tells its standard error and its steps together") {
  support::log told;
  auto tuner = scripted(space().center(), step_kind, &told) | every(4);
  for (double const metric : {100.0, 1.0, 2.0, 6.0}) {
    tuner.ask();
    tuner.tell({.metric = metric, .steps = 5.0});
  }
  CHECK(told[0].seen.steps == 20.0);
  CHECK_THAT(told[0].seen.noise, WithinRel(std::sqrt(7.0 / 3.0), 1e-12));  // variance 7 of 1, 2, 6
}

TEST_CASE("a stretch tells the last validation in it, once") {
  support::log told;
  auto tuner = scripted(space().center(), step_kind, &told) | every(4);
  for (double const validation : {1.0, quiet_nan, 2.0, quiet_nan, quiet_nan, quiet_nan, quiet_nan, quiet_nan}) {
    tuner.ask();
    tuner.tell({.metric = 1.0, .validation = validation});
  }
  CHECK(told[0].seen.validation == 2.0);
  CHECK(std::isnan(told[1].seen.validation));
}

TEST_CASE("a stretch is never surer of its mean than the trainer's noise allows") {
  support::log told;
  auto tuner = scripted(space().center(), step_kind, &told) | every(5);
  for (int i = 0; i < 5; ++i) {
    tuner.ask();
    tuner.tell({.metric = 1.0, .noise = 0.8});
  }
  CHECK_THAT(told[0].seen.noise, WithinRel(0.4, 1e-12));
}

TEST_CASE("every(1) changes nothing but the numbers") {
  support::log told;
  auto tuner = scripted(space().center(), step_kind, &told) | every(1);
  tuner.ask();
  tuner.tell({.metric = 0.1, .number = 1, .noise = 0.7, .steps = 2.0, .restorable = true});
  CHECK(tuner.ask().why == reason::explore);
  REQUIRE(told.size() == 1);
  CHECK(told[0].seen.metric == 0.1);
  CHECK(told[0].seen.noise == 0.7);
  CHECK(told[0].seen.steps == 2.0);
  CHECK(told[0].seen.restorable);
}

TEST_CASE("a failure ends the stretch at once") {
  for (observation const& failure : {observation{.metric = quiet_nan}, observation{.metric = infinity},
                                     observation{.metric = 1.0, .result = outcome::failed}}) {
    support::log told;
    auto tuner = scripted(space().at({{"kind", 1.0}}), step_kind, &told) | every(100);
    run(tuner, {1.0, 1.0});
    tuner.tell(failure);
    REQUIRE(told.size() == 1);
    CHECK(told[0].seen.bad());
    CHECK(told[0].seen.steps == 3.0);
    CHECK(tuner.ask().values[1] == 1.0);
    CHECK(tuner.ask().why == reason::explore);
  }
}

TEST_CASE("skipped observations count as time, not as metrics") {
  support::log told;
  auto tuner = scripted(space().center(), step_kind, &told) | every(3);
  observation const skipped{.metric = 55.0, .result = outcome::skipped};
  for (observation const& seen : {observation{.metric = 9.0}, skipped, observation{.metric = 2.0}}) {
    tuner.ask();
    tuner.tell(seen);
  }
  REQUIRE(told.size() == 1);
  CHECK(told[0].seen.metric == 2.0);
  for (int i = 0; i < 3; ++i) {
    tuner.ask();
    tuner.tell(skipped);
  }
  REQUIRE(told.size() == 2);
  CHECK(told[1].seen.result == outcome::skipped);
}

TEST_CASE("a change of what is applied begins a new stretch") {
  support::log told;
  auto tuner = scripted(space().center(), step_kind, &told) | every(3);
  double const before[] = {0.01, 0.0};
  double const after[] = {0.001, 0.0};
  auto tell = [&](double metric, std::span<double const> applied) {
    tuner.ask();
    tuner.tell({.metric = metric, .applied = applied});
  };
  tell(100.0, before);
  tell(100.0, before);
  tell(50.0, after);
  tell(2.0, after);
  CHECK(told.empty());
  tell(4.0, after);
  REQUIRE(told.size() == 1);
  CHECK(told[0].seen.metric == 3.0);
  CHECK(told[0].seen.steps == 3.0);
  CHECK(told[0].applied == std::vector<double>{0.001, 0.0});
}

TEST_CASE("what is held is what was applied, so that a value that was set outside stands until the tuner moves") {
  search_space const space{real{"lr", 1e-4, 1.0, scale::log}};
  auto tuner = quasi_random(space, {.start = space.at({{"lr", 0.5}})}) | every(4);
  CHECK(tuner.ask().values["lr"] == 0.5);
  std::vector<double> const applied{0.01};
  for (int i = 0; i < 4; ++i) {
    tuner.tell({.metric = 1.0, .applied = applied});
    bool const moves = i == 3;
    CHECK((tuner.ask().values["lr"] == 0.01) == !moves);
  }
}

TEST_CASE("where what is held ran as suggested, the tuner hears that it ran") {
  support::log told;
  search_space const space{real{"lr", 1e-4, 1.0, scale::log}};
  auto tuner = steady(space.at({{"lr", 0.5}}), &told) | every(4);
  std::vector<double> const set_outside{0.9};
  tuner.ask();
  tuner.tell({.metric = 1.0, .applied = set_outside});
  run(tuner, {1.0, 1.0, 1.0});
  REQUIRE(told.size() == 1);
  CHECK(told[0].applied == set_outside);
  run(tuner, {1.0, 1.0, 1.0, 1.0});
  REQUIRE(told.size() == 2);
  CHECK(told[1].applied.empty());  // what the tuner itself suggested
}

TEST_CASE("a value that is not known to have run is taken as suggested") {
  support::log told;
  configuration const center = space().center();
  auto tuner = scripted(center, step_kind, &told) | every(3);
  std::vector<double> const unknown{quiet_nan, 0.0};
  for (int i = 0; i < 3; ++i) {
    CHECK(tuner.ask().values[0] == center[0]);
    tuner.tell({.metric = 1.0, .applied = unknown});
  }
  REQUIRE(told.size() == 1);
  CHECK(told[0].applied == std::vector<double>{center[0], 0.0});
}

TEST_CASE("reversible trials and wishes for the training state pass at once, and once") {
  support::log told;
  int step = 0;
  auto script = [&](suggestion& next) {
    ++step;
    next.why = step <= 3 ? reason::range_test : reason::exploit;
    next.state = step == 1   ? training_state::mark_trial
                 : step == 4 ? training_state::return_to_trial | training_state::drop_trial
                             : training_state::keep;
  };
  auto tuner = scripted(space().center(), script, &told) | every(2);
  auto const made = run(tuner, {1.0, 1.0, 10.0, quiet_nan, 30.0, 1.0, 2.0, 2.0});
  CHECK(made[2].why == reason::range_test);
  CHECK(made[2].state == training_state::mark_trial);
  CHECK(made[3].why == reason::range_test);
  CHECK(made[4].why == reason::range_test);
  CHECK(made[5].state == (training_state::return_to_trial | training_state::drop_trial));
  CHECK(made[6].state == training_state::keep);
  CHECK(made[6].why == reason::hold);
  REQUIRE(told.size() == 5);
  CHECK(told[1].seen.metric == 10.0);
  CHECK(std::isnan(told[2].seen.metric));
  CHECK(told[3].seen.metric == 30.0);
  CHECK(told[4].seen.metric == 2.0);
}

TEST_CASE("the mean of a stretch of huge metrics is finite") {
  support::log told;
  auto tuner = scripted(space().center(), step_kind, &told) | every(5);
  constexpr double largest = std::numeric_limits<double>::max();
  run(tuner, {largest, largest, -largest, largest, -largest});
  REQUIRE(told.size() == 1);
  CHECK(std::isfinite(told[0].seen.metric));
  CHECK(std::isfinite(told[0].seen.noise));
}

TEST_CASE("how many observations are a stretch depends on what each covers") {
  support::log told;
  auto tuner = scripted(space().center(), step_kind, &told) | every(stride{.of_steps = 3, .of_epochs = 1});
  for (coverage const covers : {coverage::epoch, coverage::epoch, coverage::step, coverage::unknown, coverage::step}) {
    tuner.ask();
    tuner.tell({.metric = 1.0, .covers = covers});
  }
  CHECK(told.size() == 3);
}

TEST_CASE("every(0) is refused") {
  CHECK_THROWS_AS(every(0), invalid_option);
  CHECK_THROWS_AS(every(stride{.of_steps = 0, .of_epochs = 1}), invalid_option);
}

TEST_CASE("applied values of the wrong size are an error that names both sizes") {
  for (std::vector<double> const& applied : {std::vector<double>{1e-3}, std::vector<double>{1e-3, 0.0, 1.0}}) {
    auto tuner = steady(space().center()) | every(3);
    tuner.ask();
    CHECK_THROWS_WITH(
        tuner.tell({.metric = 1.0, .applied = applied}),
        "observation.applied has " + std::to_string(applied.size()) + " values, but the search space has 2 parameters");
  }
}
