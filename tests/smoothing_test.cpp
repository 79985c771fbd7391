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
using Catch::Matchers::WithinAbs;

namespace {

search_space space() { return {real{"lr", 1e-4, 1e-1, scale::log}}; }

}  // namespace

TEST_CASE("the tuner behind a smoothing stage is told the average of recent metrics") {
  support::log told;
  auto tuner = steady(space().center(), &told) | smooth({.window = 2});
  run(tuner, {1.0, 3.0, 5.0});
  REQUIRE(told.size() == 3);
  CHECK(told[0].seen.metric == 1.0);
  CHECK(told[1].seen.metric == 2.0);
  CHECK(told[2].seen.metric == 4.0);
}

TEST_CASE("a smoothing stage can average exponentially") {
  support::log told;
  auto tuner = steady(space().center(), &told) | smooth({.window = 3, .kind = averaging::exponential});
  run(tuner, {1.0, 4.0});
  CHECK(told[0].seen.metric == 1.0);
  CHECK_THAT(told[1].seen.metric, WithinAbs((0.5 * 1.0 + 4.0) / 1.5, 1e-15));
}

TEST_CASE("one NaN leaves the smoothing window alone") {
  support::log told;
  auto tuner = steady(space().center(), &told) | smooth({.window = 5});
  run(tuner, {1.0, 1.0, quiet_nan, infinity, 1.0, 1.0});
  CHECK(told[2].seen.bad());
  CHECK(told[3].seen.bad());
  CHECK(told[4].seen.metric == 1.0);
  CHECK(told[5].seen.metric == 1.0);
}

TEST_CASE("skipped and failed observations pass a smoothing stage as they are") {
  support::log told;
  auto tuner = steady(space().center(), &told) | smooth({.window = 3});
  tuner.ask();
  tuner.tell({.metric = 2.0});
  tuner.ask();
  tuner.tell({.metric = 100.0, .result = outcome::skipped});
  tuner.ask();
  tuner.tell({.metric = 100.0, .result = outcome::failed});
  tuner.ask();
  tuner.tell({.metric = 4.0});
  CHECK(told[1].seen.result == outcome::skipped);
  CHECK(told[1].seen.metric == 100.0);
  CHECK(told[2].seen.result == outcome::failed);
  CHECK(told[3].seen.metric == 3.0);
}

TEST_CASE("smoothing lowers the standard error that the trainer told, and invents none") {
  support::log told;
  auto tuner = steady(space().center(), &told) | smooth({.window = 4});
  for (int i = 0; i < 4; ++i) {
    tuner.ask();
    tuner.tell({.metric = 1.0, .noise = 0.6});
  }
  tuner.ask();
  tuner.tell({.metric = 1.0});
  CHECK_THAT(told[0].seen.noise, WithinAbs(0.6, 1e-15));
  CHECK_THAT(told[3].seen.noise, WithinAbs(0.3, 1e-15));
  CHECK(told[4].seen.noise == 0.0);
}

TEST_CASE("a smoothing stage shows the tuner's own suggestions, and all else that is observed") {
  suggestion const* made = nullptr;
  support::log told;
  auto tuner = scripted(space().center(), [&](suggestion& next) { made = &next; }, &told) | smooth();
  tuner.ask();
  double const applied[] = {0.01};
  tuner.tell({.metric = 1.0, .number = 1, .applied = applied, .steps = 7.0, .restorable = true});
  CHECK(&tuner.ask() == made);
  CHECK(told[0].applied == std::vector<double>{0.01});
  CHECK(told[0].seen.steps == 7.0);
  CHECK(told[0].seen.restorable);
}

TEST_CASE("metrics of a reversible trial pass unsmoothed and leave no trace") {
  support::log told;
  int step = 0;
  auto script = [&](suggestion& next) { next.why = ++step == 1 ? reason::range_test : reason::exploit; };
  auto tuner = scripted(space().center(), script, &told) | smooth({.window = 3});
  run(tuner, {1.0, 500.0, 3.0});
  CHECK(told[1].seen.metric == 500.0);
  CHECK(told[2].seen.metric == 2.0);
}

TEST_CASE("a smoothing window that cannot be is refused") {
  CHECK_THROWS_AS(smooth({.window = 0}), invalid_option);
  CHECK_THROWS_AS(smooth({.window = 5000, .kind = averaging::exponential}), invalid_option);
}
