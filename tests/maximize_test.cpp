#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

import autotunenet;
import autotunenet.testing;

using namespace autotunenet;
using namespace support;

namespace {

search_space space() { return {real{"lr", 1e-4, 1e-1, scale::log}}; }

}  // namespace

TEST_CASE("a metric to maximize reaches the tuner negated") {
  support::log told;
  auto tuner = steady(space().center(), &told) | maximize();
  run(tuner, {0.5, -2.0, 0.0});
  CHECK(told[0].seen.metric == -0.5);
  CHECK(told[1].seen.metric == 2.0);
  CHECK(told[2].seen.metric == 0.0);
}

TEST_CASE("so does a validation") {
  support::log told;
  auto tuner = steady(space().center(), &told) | maximize();
  tuner.ask();
  tuner.tell({.metric = 0.5, .validation = 0.25});
  run(tuner, {0.5});
  CHECK(told[0].seen.validation == -0.25);
  CHECK(std::isnan(told[1].seen.validation));
}

TEST_CASE("NaN and infinity stay failures when maximizing") {
  support::log told;
  auto tuner = steady(space().center(), &told) | maximize();
  run(tuner, {quiet_nan, infinity, -infinity});
  for (remembered const& each : told) CHECK(each.seen.bad());
  CHECK(std::isnan(told[0].seen.metric));
}

TEST_CASE("maximizing changes nothing but the metric") {
  suggestion const* made = nullptr;
  support::log told;
  auto tuner = scripted(space().center(), [&](suggestion& next) { made = &next; }, &told) | maximize();
  tuner.ask();
  double const applied[] = {0.02};
  tuner.tell({.metric = 1.0, .result = outcome::failed, .number = 1, .applied = applied, .noise = 0.1, .steps = 3.0});
  CHECK(&tuner.ask() == made);
  CHECK(told[0].seen.result == outcome::failed);
  CHECK(told[0].seen.noise == 0.1);
  CHECK(told[0].seen.steps == 3.0);
  CHECK(told[0].applied == std::vector<double>{0.02});
}
