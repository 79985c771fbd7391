#include "../modules/improvement.hpp"

#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

import autotunenet;

using namespace autotunenet;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;
using detail::improvement;

namespace {

/// The rewards of these metrics, each of one step.
std::vector<double> rewards(std::vector<double> const& metrics) {
  improvement credit;
  credit.baseline(metrics[0], 0.0);
  std::vector<double> given;
  for (std::size_t i = 1; i < metrics.size(); ++i) given.push_back(credit.of(metrics[i], 0.0, 1.0).value);
  return given;
}

/// Means of equal values, which miss them by rounding.
std::vector<double> means(double value, std::size_t window) {
  moving_average mean(window);
  std::vector<double> given;
  for (std::size_t i = 0; i < 3 * window; ++i) {
    mean.push(value);
    given.push_back(mean.mean());
  }
  return given;
}

}  // namespace

TEST_CASE("the rounding of an unchanging metric is no improvement") {
  for (double const value : {0.1, -0.3, 0.7, 1e-300, -1e300})
    for (std::size_t const window : {7U, 100U, 4096U})
      for (double const reward : rewards(means(value, window))) REQUIRE(reward == 0.0);
}

TEST_CASE("small improvements count the same at any scale, and beside an offset") {
  std::vector<double> metrics;
  for (int i = 0; i < 60; ++i) metrics.push_back(std::ldexp(static_cast<double>(2 * (60 - i) + i % 3), -20));
  std::vector<double> const plain = rewards(metrics);
  CHECK(plain.front() != 0.0);
  auto const changed = [&](double scale, double offset) {
    std::vector<double> other;
    for (double const metric : metrics) other.push_back(scale * metric + offset);
    return rewards(other);
  };
  CHECK(changed(0x1p-60, 0.0) == plain);
  CHECK(changed(0x1p300, 0.0) == plain);
  CHECK(changed(1.0, 1024.0) == plain);
  CHECK(changed(1.0, -65536.0) == plain);
}

TEST_CASE("a constant metric that every() and smooth() sum up leaves the values where they began") {
  search_space const space{real{"lr", 1e-5, 1.0, scale::log}, real{"weight_decay", 1e-6, 1e-1, scale::log}};
  auto const course = [&](double metric) {
    suggestions tuner = bayesian(space, {.seed = 3}) | every(20) | smooth({.window = 7}) | guard();
    std::vector<double> values;
    for (int i = 0; i < 3000; ++i) {
      values.push_back(tuner.ask().values["lr"]);
      tuner.tell(metric);
    }
    return values;
  };
  CHECK(course(0.1) == course(0.125));  // whose means are exact
}

TEST_CASE("a baseline that is not finite is refused, and so is noise that cannot be") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
  improvement credit;
  credit.baseline(1.0, 0.1);
  credit.of(0.5, 0.1, 1.0);
  std::vector<std::byte> const good = save(credit);
  std::size_t const metric = good.size() - 1 - 3 * sizeof(double), noise = metric + sizeof(double);
  std::size_t const counted = noise + sizeof(double);
  auto const refused = [&](std::size_t at, double value) {
    std::vector<std::byte> bad = good;
    std::memcpy(bad.data() + at, &value, sizeof value);
    CHECK_THROWS_MATCHES(load(credit, bad), checkpoint_error, MessageMatches(ContainsSubstring("bounds")));
  };
  for (double const value : {not_a_number, infinity, -infinity})
    for (std::size_t const at : {metric, noise, counted}) refused(at, value);
  refused(noise, -1.0);
  refused(counted, 2.0 * improvement::most);
  CHECK(save(credit) == good);
}

TEST_CASE("what follows noise that is not known can be loaded again") {
  for (double const noise : {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN(), -1.0}) {
    improvement credit, other;
    credit.baseline(1.0, 0.1);
    CHECK(credit.of(0.5, noise, 1.0).noise == 0.0);
    CHECK(credit.of(0.25, 0.1, 1.0).noise == 0.0);
    CHECK_NOTHROW(load(other, save(credit)));
    credit.of(0.125, noise, 1.0);
    CHECK_NOTHROW(load(other, save(credit)));
  }
}
