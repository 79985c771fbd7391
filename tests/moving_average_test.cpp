#include <algorithm>
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

#include "support/random_stream.hpp"

import autotunenet;

using namespace autotunenet;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

namespace {

double mean_of_last(std::vector<double> const& values, std::size_t window) {
  std::size_t const from = values.size() > window ? values.size() - window : 0;
  long double sum = 0.0L;
  for (std::size_t i = from; i < values.size(); ++i) sum += values[i];
  return static_cast<double>(sum / static_cast<long double>(values.size() - from));
}

}  // namespace

TEST_CASE("a window's mean is the plain mean of the last values") {
  for (std::size_t const window : {1U, 2U, 3U, 5U, 64U}) {
    support::random_stream random(window);
    moving_average average(window);
    std::vector<double> values;
    for (int i = 0; i < 300; ++i) {
      values.push_back(random.gauss());
      average.push(values.back());
      REQUIRE_THAT(average.mean(), WithinAbs(mean_of_last(values, window), 1e-14));
      REQUIRE(average.count() == std::min<std::size_t>(values.size(), window));
      REQUIRE(average.full() == (values.size() >= window));
    }
  }
}

TEST_CASE("an exponential average weighs by age, corrected for the start") {
  std::size_t const window = 7;
  double const decay = 1.0 - 2.0 / 8.0;
  support::random_stream random(1);
  moving_average average(window, averaging::exponential);
  std::vector<double> values;
  for (int i = 0; i < 100; ++i) {
    values.push_back(random.gauss());
    average.push(values.back());
    double sum = 0.0;
    double weights = 0.0;
    for (std::size_t k = 0; k < values.size(); ++k) {
      double const weight = std::pow(decay, static_cast<double>(k));
      sum += weight * values[values.size() - 1 - k];
      weights += weight;
    }
    REQUIRE_THAT(average.mean(), WithinAbs(sum / weights, 1e-13));
  }
}

TEST_CASE("ten million updates leave no rounding behind") {
  for (averaging const kind : {averaging::window, averaging::exponential}) {
    support::random_stream random(3);
    moving_average old(10, kind);
    for (int i = 0; i < 10'000'000; ++i) old.push(i % 1000 == 0 ? 1e300 * random.gauss() : 1e8 * random.uniform());
    moving_average young(10, kind);
    for (int i = 0; i < 20'000; ++i) {
      double const value = random.gauss();
      old.push(value);
      young.push(value);
    }
    CHECK_THAT(old.mean(), WithinAbs(young.mean(), 1e-12));
  }
}

TEST_CASE("a huge value leaves the window without a trace") {
  moving_average average(4);
  for (double const value : {1e308, 1e200, -1e308, 1.0, 2.0, 3.0, 4.0}) average.push(value);
  CHECK(average.mean() == 2.5);
}

TEST_CASE("the mean of values near the largest double is finite") {
  constexpr double largest = std::numeric_limits<double>::max();
  for (averaging const kind : {averaging::window, averaging::exponential}) {
    moving_average average(5, kind);
    for (int i = 0; i < 23; ++i) {
      average.push(largest);
      REQUIRE_THAT(average.mean(), WithinRel(largest, 1e-12));
    }
    for (int i = 0; i < 23; ++i) {
      average.push(i % 2 == 0 ? -largest : largest);
      REQUIRE(std::isfinite(average.mean()));
    }
  }
}

TEST_CASE("denormal values are averaged, not flushed") {
  double const tiny = 64 * std::numeric_limits<double>::denorm_min();
  moving_average average(2);
  average.push(tiny);
  average.push(3 * tiny);
  CHECK(average.mean() == 2 * tiny);
}

TEST_CASE("the average of a constant is that constant") {
  for (averaging const kind : {averaging::window, averaging::exponential}) {
    moving_average average(8, kind);
    for (int i = 0; i < 1000; ++i) {
      average.push(0.1);
      REQUIRE_THAT(average.mean(), WithinRel(0.1, 1e-15));
    }
  }
}

TEST_CASE("an average's effective count foretells its variance") {
  for (averaging const kind : {averaging::window, averaging::exponential}) {
    support::random_stream random(5);
    for (int const length : {3, 200}) {
      double squares = 0.0;
      double effective = 0.0;
      for (int run = 0; run < 4000; ++run) {
        moving_average average(6, kind);
        for (int i = 0; i < length; ++i) average.push(random.gauss());
        squares += average.mean() * average.mean();
        effective = average.effective_count();
      }
      CHECK_THAT(squares / 4000.0, WithinRel(1.0 / effective, 0.1));
    }
  }
}

TEST_CASE("a cleared average begins anew") {
  for (averaging const kind : {averaging::window, averaging::exponential}) {
    moving_average average(3, kind);
    for (int i = 0; i < 7; ++i) average.push(100.0);
    average.clear();
    CHECK(average.count() == 0);
    average.push(1.0);
    CHECK(average.mean() == 1.0);
    average.push(1.0);
    average.push(1.0);
    average.push(1.0);
    CHECK(average.mean() == 1.0);
  }
}

TEST_CASE("a window that cannot be is refused by name and range") {
  CHECK_THROWS_WITH(moving_average(0), "window = 0 is not allowed; it lies between 1 and 4096");
  CHECK_THROWS_AS(moving_average(4097), invalid_option);
  CHECK_NOTHROW(moving_average(4096));
}
