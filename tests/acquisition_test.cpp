#include <array>
#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <cstddef>
#include <vector>

#include "support/allocations.hpp"
#include "support/noise.hpp"

import autotunenet;

using namespace autotunenet;
using Catch::Approx;

namespace {

constexpr acquisition_rule mean_only{.what = acquisition_rule::kind::confidence_bound, .weight = 0.0};
constexpr acquisition_rule improvement{};

/// A surrogate that knows `worth` well at many points of the space.
template <class Goodness>
gaussian_process taught(search_space const& space, Goodness goodness, std::size_t n = 200) {
  std::vector<bool> categorical;
  for (std::size_t i = 0; i < space.size(); ++i) categorical.push_back(space.is_categorical(i));
  gaussian_process made({.categorical = categorical, .capacity = n, .constant = 1.0});
  hyperparameters known{
      .signal = 2.0, .noise = 0.01, .metric = 0.0, .step = 0.0, .length = std::vector<double>(space.size(), 0.5)};
  made.parameters(known);
  support::noise random{9};
  std::vector<double> x(space.size());
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = space.to_unit(i, space.from_unit(i, random.uniform()));
    made.append(x, 0.0, {.value = goodness(x)});
  }
  return made;
}

}  // namespace

TEST_CASE("expected improvement is the textbook's") {
  // Reference: mean * Phi(z) + deviation * phi(z) by scipy.stats.norm.
  CHECK(expected_improvement({.mean = 0.5, .variance = 1.0}).value == Approx(0.6977965574013061).epsilon(1e-9));
  CHECK(expected_improvement({.mean = -1.0, .variance = 0.25}).value == Approx(0.004245351308414837).epsilon(1e-6));
  CHECK(expected_improvement({.mean = 0.3, .variance = 0.0}).value == 0.3);
  CHECK(expected_improvement({.mean = -0.3, .variance = 0.0}).value == 0.0);
}

TEST_CASE("acquisition rules have the derivatives of finite differences") {
  posterior const at{.mean = -0.4, .variance = 0.7};
  constexpr double h = 1e-6;
  auto const check = [&](auto rule) {
    acquisition_value const found = rule(at);
    double const by_mean = (rule({at.mean + h, at.variance}).value - rule({at.mean - h, at.variance}).value) / (2 * h);
    double const by_variance =
        (rule({at.mean, at.variance + h}).value - rule({at.mean, at.variance - h}).value) / (2 * h);
    CHECK(found.by_mean == Approx(by_mean).epsilon(1e-6));
    CHECK(found.by_variance == Approx(by_variance).epsilon(1e-6));
  };
  check([](posterior p) { return expected_improvement(p); });
  check([](posterior p) { return confidence_bound(p, 1.5); });
  check([](posterior p) { return confidence_bound(p, -0.5); });
}

TEST_CASE("a bound below the mean asks for evidence") {
  CHECK(confidence_bound({.mean = 1.0, .variance = 4.0}, -1.0).value == -1.0);
  CHECK(confidence_bound({.mean = 1.0, .variance = 4.0}, 1.0).value == 3.0);
}

TEST_CASE("the search climbs to the top of a smooth hill") {
  search_space const space{real{"a"}, real{"b"}};
  auto surrogate =
      taught(space, [](auto const& x) { return -8 * std::pow(x[0] - 0.62, 2) - 8 * std::pow(x[1] - 0.31, 2); });
  acquisition_search search(space, {.seed = 1, .iterations = 12});
  std::array const incumbent{0.5, 0.5}, lower{0.0, 0.0}, upper{1.0, 1.0};
  std::array<double, 2> best{};
  surrogate.refer_to(incumbent);
  double const gain = search(surrogate, mean_only, incumbent, lower, upper, best);
  CHECK(best[0] == Approx(0.62).margin(0.03));
  CHECK(best[1] == Approx(0.31).margin(0.03));
  CHECK(gain == Approx(8 * (0.12 * 0.12 + 0.19 * 0.19)).margin(0.05));
}

TEST_CASE("the search never leaves its box") {
  search_space const space{real{"a"}, real{"b"}, integer{"n", 0, 9}};
  auto surrogate = taught(space, [](auto const& x) { return x[0] - x[1] + x[2]; });
  acquisition_search search(space, {.seed = 1});
  std::array const incumbent{0.5, 0.5, space.to_unit(2, 4)}, lower{0.45, 0.5, 0.3}, upper{0.55, 0.5, 0.7};
  std::array<double, 3> best{};
  surrogate.refer_to(incumbent);
  for (int i = 0; i < 50; ++i) {
    search(surrogate, i % 2 ? mean_only : improvement, incumbent, lower, upper, best);
    for (std::size_t k = 0; k < 3; ++k) {
      CHECK(best[k] >= lower[k]);
      CHECK(best[k] <= upper[k]);
    }
    CHECK(best[2] == space.to_unit(2, space.from_unit(2, best[2])));
  }
  CHECK(best[0] == Approx(0.55));
}

TEST_CASE("where nothing is better, the search stays") {
  search_space const space{real{"a"}};
  auto surrogate = taught(space, [](auto const& x) { return -std::abs(x[0] - 0.5); });
  acquisition_search search(space);
  std::array const incumbent{0.5}, lower{0.4}, upper{0.6};
  std::array<double, 1> best{};
  surrogate.refer_to(incumbent);
  double const gain = search(surrogate, {.what = acquisition_rule::kind::confidence_bound, .weight = -1.0}, incumbent,
                             lower, upper, best);
  CHECK(best[0] == Approx(0.5).margin(0.005));
  CHECK(gain < 1e-3);
}

TEST_CASE("the search finds the best category beside the best number") {
  search_space const space{real{"a"}, categorical{"kind", {"one", "two", "three", "four"}}};
  auto surrogate = taught(space, [&](auto const& x) {
    return -4 * std::pow(x[0] - 0.7, 2) + (space.from_unit(1, x[1]) == 2.0 ? 1.0 : 0.0);
  });
  acquisition_search search(space, {.seed = 4, .iterations = 10});
  std::array const incumbent{0.5, space.to_unit(1, 0)}, lower{0.0, 0.0}, upper{1.0, 1.0};
  std::array<double, 2> best{};
  surrogate.refer_to(incumbent);
  search(surrogate, mean_only, incumbent, lower, upper, best);
  CHECK(space.from_unit(1, best[1]) == 2.0);
  CHECK(best[0] == Approx(0.7).margin(0.05));
}

TEST_CASE("a search allocates nothing, and repeats itself from its seed") {
  search_space const space{real{"a"}, integer{"n", 1, 5}, categorical{"kind", {1.0, 2.0}}};
  auto surrogate = taught(space, [](auto const& x) { return x[0]; });
  acquisition_search search(space, {.seed = 4}), again(space, {.seed = 4});
  std::array const incumbent{0.5, 0.5, 0.25}, lower{0.0, 0.0, 0.0}, upper{1.0, 1.0, 1.0};
  std::array<double, 3> best{}, same{};
  surrogate.refer_to(incumbent);
  search(surrogate, improvement, incumbent, lower, upper, best);
  support::allocation_count const counted;
  for (int i = 0; i < 20; ++i) search(surrogate, improvement, incumbent, lower, upper, best);
  std::size_t const after = counted.since();
  CHECK(after == 0);
  for (int i = 0; i < 21; ++i) again(surrogate, improvement, incumbent, lower, upper, same);
  CHECK(best == same);
}

TEST_CASE("a search without starts says so") {
  CHECK_THROWS_AS(acquisition_search({real{"a"}}, {.starts = 0}), invalid_option);
  CHECK_THROWS_AS(acquisition_search({real{"a"}}, {.probes = 1, .starts = 2}), invalid_option);
}
