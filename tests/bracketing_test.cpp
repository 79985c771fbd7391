#include "../modules/bracketing.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <cmath>
#include <limits>

using autotunenet::bracketing;
using autotunenet::measured_point;
using Catch::Matchers::WithinRel;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Began at 0 with a metric of 1; ratios are of 10.
bracketing begun(double level = 1.0) {
  bracketing search(10.0);
  search.set_lowest(0.0);
  search.start({0.0, level});
  return search;
}

}  // namespace

TEST_CASE("the valley of three points on a parabola is its lowest one") {
  auto search = begun();
  auto const parabola = [](double where) { return 1.0 + 2.0 * (where - 0.4) * (where - 0.4); };
  search = begun(parabola(0.0));
  REQUIRE_FALSE(search.compare_below({-1.5, parabola(-1.5)}));
  CHECK_FALSE(search.valley());
  CHECK_THAT(search.valley({1.0, parabola(1.0)}).value(), WithinRel(0.4, 1e-12));
  CHECK_FALSE(search.compare_above({3.0, parabola(3.0)}));
  CHECK_THAT(search.valley().value(), WithinRel(0.4, 1e-12));
}

TEST_CASE("what diverged above is too high by how much nobody knows") {
  auto search = begun(1.0);
  REQUIRE_FALSE(search.compare_below({-2.0, 2.0}));
  REQUIRE_FALSE(search.compare_above({2.0, infinity}));
  CHECK(search.best().where == 0.0);
  CHECK_THAT(search.valley().value(), WithinRel(-0.6, 1e-12));  // as if it were four times as high as below
}

TEST_CASE("no valley lies where the lower neighbour is no worse") {
  auto search = begun(1.0);
  REQUIRE_FALSE(search.compare_below({-2.0, 1.0}));
  CHECK_FALSE(search.valley({2.0, 2.0}));
}

TEST_CASE("steps down are short from a start that works, and long from one that failed") {
  CHECK_THAT(begun(1.0).fallen(-100.0), WithinRel(-0.75 * std::log(10.0), 1e-12));
  CHECK_THAT(begun(infinity).fallen(-100.0), WithinRel(-1.5 * std::log(10.0), 1e-12));
  CHECK(begun(infinity).fallen(-1.0) == -1.0);
  CHECK_FALSE(begun(infinity).worked());
}

TEST_CASE("a step up is taken where it helps more than the step down did harm") {
  auto search = begun(1.0);
  REQUIRE_FALSE(search.compare_below({-2.0, 2.0}));
  CHECK_FALSE(search.compare_above({2.0, 0.9}));  // a tenth of it: nearly alike
  search = begun(1.0);
  REQUIRE_FALSE(search.compare_below({-2.0, 2.0}));
  CHECK(search.compare_above({2.0, 0.8}));
  CHECK(search.rose());
  CHECK(search.compare_climb({4.0, 0.7}) == bracketing::climb::much);
  CHECK(search.compare_climb({6.0, 0.69}) == bracketing::climb::some);
  CHECK(search.compare_climb({8.0, 0.69}) == bracketing::climb::none);
  CHECK(search.best().where == 6.0);
}
