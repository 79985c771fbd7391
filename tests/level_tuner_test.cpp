#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "support/allocations.hpp"
#include "support/noise.hpp"

import autotunenet;

using namespace autotunenet;

namespace {

search_space plane() { return {real{"x", 0.0, 1.0}, real{"y", 0.0, 1.0}}; }

suggestions of_levels(search_space const& space, std::uint64_t seed, std::optional<double> half_life = {}) {
  return bayesian(space, {.seed = seed, .half_life = half_life, .from = learned::level});
}

double bowl(suggestion const& asked, double x, double y) {
  return std::pow(asked.values[0] - x, 2) + std::pow(asked.values[1] - y, 2);
}

/// The mean distance from the optimum over the second half of a run.
template <class Optimum>
double distance(suggestions tuner, int steps, double jitter, Optimum optimum) {
  support::noise random(3);
  double sum = 0.0;
  for (int i = 0; i < steps; ++i) {
    double const loss = bowl(tuner.ask(), optimum(i), 0.75);
    if (2 * i >= steps) sum += 2.0 * std::sqrt(loss) / steps;
    tuner.tell(loss + jitter * random.normal());
  }
  return sum;
}

}  // namespace

TEST_CASE("a tuner of levels finds the minimum of a function, through noise") {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    CHECK(distance(of_levels(plane(), seed, std::numeric_limits<double>::infinity()), 80, 0.01,
                   [](int) { return 0.2; }) < 0.1);
  }
}

TEST_CASE("a tuner of levels that was told of no half-life forgets nothing where nothing moves") {
  search_space const box{real{"x", -2.0, 2.5}, real{"y", -2.0, 2.5}, real{"z", -2.0, 2.5}};
  auto const least = [&](std::uint64_t seed, std::optional<double> half_life) {
    suggestions tuner = of_levels(box, seed, half_life);
    double found = std::numeric_limits<double>::infinity();
    for (int i = 0; i < 120; ++i) {
      auto const at = tuner.ask().values.values();
      // Rosenbrock's valley: to go along it, one has to remember where it was.
      double const loss = 100.0 * std::pow(at[1] - at[0] * at[0], 2) + std::pow(1.0 - at[0], 2) +
                          100.0 * std::pow(at[2] - at[1] * at[1], 2) + std::pow(1.0 - at[1], 2);
      found = std::min(found, loss);
      tuner.tell(loss);
    }
    return std::log(found);
  };
  double gained = 0.0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) gained += (least(seed, 20.0) - least(seed, {})) / 5.0;
  CHECK(gained > 1.0);
}

TEST_CASE("a tuner of levels follows a minimum that moves away") {
  // One that stayed would be 0.6 away, one that searched at random about 0.5.
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    for (std::optional<double> const half_life : {std::optional<double>(), std::optional(64.0)})
      CHECK(distance(of_levels(plane(), seed, half_life), 300, 0.01, [](int i) { return i < 120 ? 0.2 : 0.8; }) < 0.25);
  }
}

TEST_CASE("a tuner of levels avoids where nothing can be measured") {
  suggestions tuner = of_levels(plane(), 4);
  int failures = 0;
  for (int i = 0; i < 120; ++i) {
    suggestion const& asked = tuner.ask();
    bool const fails = asked.values[0] > 0.5;
    if (i >= 60) failures += fails ? 1 : 0;
    tuner.tell(fails ? std::numeric_limits<double>::quiet_NaN() : bowl(asked, 0.3, 0.3));
  }
  CHECK(failures < 15);
}

TEST_CASE("scaling and shifting a level changes no suggestion") {
  auto const run = [](double scale, double shift) {
    suggestions tuner = of_levels(plane(), 5);
    std::vector<double> all;
    for (int i = 0; i < 60; ++i) {
      suggestion const& asked = tuner.ask();
      all.insert(all.end(), asked.values.values().begin(), asked.values.values().end());
      // In steps that binary fractions hold exactly, whatever the shift.
      tuner.tell(shift + scale * std::round(1024.0 * bowl(asked, 0.3, 0.6)) / 1024.0);
    }
    return all;
  };
  CHECK(run(4.0, -64.0) == run(1.0, 0.0));
}

TEST_CASE("a constant level, absurd ones and failures alone leave the tuner suggesting inside the reach") {
  for (double metric : {1.0, 1e308, -1e308, std::numeric_limits<double>::infinity()}) {
    suggestions tuner = of_levels(plane(), 6);
    std::vector<double> const lower(2, 0.25), upper(2, 0.5);
    tuner.ask();
    for (int i = 0; i < 150; ++i) {
      tuner.tell({.metric = i % 7 == 3 ? -metric : metric, .within = {lower, upper}});
      for (double value : tuner.ask().values.values()) CHECK((value >= 0.25 && value <= 0.5));
    }
  }
}

TEST_CASE("a step of a tuner of levels allocates nothing") {
  suggestions tuner = of_levels(plane(), 7);
  support::noise random(1);
  tuner.ask();
  support::allocation_count const counted;
  for (int i = 0; i < 200; ++i) {
    tuner.tell(random.normal());
    tuner.ask();
  }
  CHECK(counted.since() == 0);
}

TEST_CASE("levels that hardly differ, beside absurd ones, leave the tuner finding the minimum afterwards") {
  suggestions tuner = of_levels(plane(), 8);
  tuner.ask();
  for (int i = 0; i < 40; ++i) {
    tuner.tell(i % 10 == 5 ? 1e308 : i % 10 == 8 ? -1e308 : i % 3 * 1e-310);
    tuner.ask();
  }
  CHECK(distance(std::move(tuner), 1400, 0.0, [](int) { return 0.3; }) < 0.25);
}
