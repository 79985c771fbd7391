#include "../modules/triangular_solve.hpp"

#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <cmath>
#include <cstddef>
#include <vector>

#include "support/noise.hpp"

using namespace autotunenet::detail;
using Catch::Matchers::WithinAbs;

namespace {

/// A triangle in a larger matrix, of which nothing else may be read.
struct triangle {
  std::ptrdiff_t n;
  std::ptrdiff_t stride = n + 3;
  std::vector<double> l = std::vector<double>(static_cast<std::size_t>(stride * n), std::nan(""));

  double& at(std::ptrdiff_t i, std::ptrdiff_t j) { return l[static_cast<std::size_t>(j * stride + i)]; }

  explicit triangle(std::ptrdiff_t size, support::noise& random) : n(size) {
    for (std::ptrdiff_t j = 0; j < n; ++j) {
      for (std::ptrdiff_t i = j; i < n; ++i) at(i, j) = 0.3 * random.normal();
      at(j, j) = 2.0 + std::abs(at(j, j));
    }
  }
};

}  // namespace

TEST_CASE("triangular systems of every size are solved, and nothing beyond them is read") {
  support::noise random{3};
  for (std::ptrdiff_t n = 0; n <= 40; ++n) {
    CAPTURE(n);
    triangle of(n, random);
    std::vector<double> x(static_cast<std::size_t>(n)), down(x), up(x);
    for (double& value : x) value = random.normal();
    for (std::size_t i = 0; i < x.size(); ++i) {
      for (std::size_t j = 0; j < x.size(); ++j) {
        auto const row = static_cast<std::ptrdiff_t>(i), column = static_cast<std::ptrdiff_t>(j);
        if (j <= i) down[i] += of.at(row, column) * x[j];
        if (j >= i) up[i] += of.at(column, row) * x[j];
      }
    }
    solve_lower(of.l.data(), of.stride, n, down.data());
    solve_lower_transposed(of.l.data(), of.stride, n, up.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      REQUIRE_THAT(down[i], WithinAbs(x[i], 1e-9));
      REQUIRE_THAT(up[i], WithinAbs(x[i], 1e-9));
    }
  }
}
