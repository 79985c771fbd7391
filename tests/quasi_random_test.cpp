#include <algorithm>
#include <array>
#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/allocations.hpp"

import autotunenet;

using namespace autotunenet;
using Catch::Approx;

namespace {

std::vector<std::vector<double>> draw(suggestions tuner, std::size_t n) {
  std::vector<std::vector<double>> columns(tuner.ask().values.size());
  for (std::size_t i = 0; i < n; ++i) {
    configuration const& values = tuner.ask().values;
    for (std::size_t k = 0; k < columns.size(); ++k) columns[k].push_back(values[k]);
    tuner.tell(0.0);
  }
  return columns;
}

double median(std::vector<double> values) {
  auto const middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

TEST_CASE("a log parameter is drawn evenly by ratio") {
  auto const drawn = draw(quasi_random({real{"lr", 1e-4, 1e-1, scale::log}}), 1001);
  CHECK(median(drawn[0]) == Approx(std::sqrt(1e-4 * 1e-1)).epsilon(0.02));
}

TEST_CASE("whole numbers and words are drawn equally often") {
  auto const drawn = draw(quasi_random({integer{"n", 1, 5}, categorical{"kind", {"a", "b", "c"}}}, {.seed = 3}), 3000);
  for (int value = 1; value <= 5; ++value) CHECK(std::abs(std::ranges::count(drawn[0], value) - 600) < 30);
  for (int value = 0; value < 3; ++value) CHECK(std::abs(std::ranges::count(drawn[1], value) - 1000) < 50);
}

TEST_CASE("the sequence covers a square more evenly than chance does") {
  auto const drawn = draw(quasi_random({real{"a"}, real{"b"}}), 256);
  std::array<int, 64> cells{};
  for (std::size_t i = 0; i < 256; ++i) {
    ++cells[static_cast<std::size_t>(drawn[0][i] * 8) * 8 + static_cast<std::size_t>(drawn[1][i] * 8)];
  }
  // Four in each cell on average; by chance one cell in fifty would be empty, and the fullest would hold ten.
  CHECK(*std::ranges::min_element(cells) >= 1);
  CHECK(*std::ranges::max_element(cells) <= 8);
}

TEST_CASE("a seed decides the sequence, whatever the metric") {
  search_space const space{real{"a"}, real{"b"}};
  auto const first = draw(quasi_random(space, {.seed = 1}), 50);
  CHECK(draw(quasi_random(space, {.seed = 1}), 50) == first);
  CHECK(draw(quasi_random(space, {.seed = 2}), 50) != first);
}

TEST_CASE("a given start comes first, and only then the sequence") {
  search_space const space{real{"a"}};
  suggestions with = quasi_random(space, {.start = space.at({{"a", 0.125}})});
  suggestions without = quasi_random(space);
  CHECK(with.ask().values[0] == 0.125);
  CHECK(with.ask().why == reason::start);
  with.tell(0.0);
  CHECK(with.ask().values == without.ask().values);
  CHECK(without.ask().why == reason::explore);
}

TEST_CASE("a reach shortens the step; categories are free") {
  search_space const space{real{"a"}, categorical{"kind", {"x", "y"}}};
  suggestions tuner = quasi_random(space);
  std::array const lower{0.4, 0.25}, upper{0.5, 0.25};
  bool both = false;
  for (int i = 0; i < 50; ++i) {
    tuner.ask();
    tuner.tell({.metric = 0.0, .within = {lower, upper}});
    CHECK(tuner.ask().values[0] >= 0.4);
    CHECK(tuner.ask().values[0] <= 0.5);
    both = both || tuner.ask().values[1] == 1.0;
  }
  CHECK(both);
}

TEST_CASE("drawing allocates nothing") {
  suggestions tuner = quasi_random({real{"a"}, integer{"n", 0, 9}});
  tuner.ask();
  support::allocation_count const counted;
  for (int i = 0; i < 100; ++i) {
    tuner.tell(0.0);
    tuner.ask();
  }
  CHECK(counted.since() == 0);
}

TEST_CASE("a start of another space is refused") {
  search_space const other{real{"b"}};
  CHECK_THROWS_AS(quasi_random({real{"a"}}, {.start = other.center()}), invalid_option);
}
