#include "../modules/pilots.hpp"

#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cstddef>

using namespace autotunenet;
using enum pilots::verdict;

namespace {

constexpr std::size_t length = 40;
// The run that they are compared with, at 1, fell by 0.5 in half a pilot's length, and by 0.1 more in the other half.
constexpr double by_half = 0.5, in_all = 0.6;

pilots beside_a_run() {
  pilots tried(length);
  tried.follow(length / 2, by_half);
  tried.follow(length, in_all);
  tried.compare_with(1.0, in_all);
  return tried;
}

/// A pilot that has fallen so far by its half, and at its end.
pilots::verdict pilot(pilots& tried, double value, double halfway, double end, double unit = 1.0) {
  tried.begin(value);
  pilots::verdict now = open;
  for (std::size_t i = 1; i <= length && now == open; ++i)
    now = tried.add(2 * i <= length ? halfway : end, false, unit);
  return now;
}

}  // namespace

TEST_CASE("a higher pilot has to keep most of the pace, and a further one more than all of it") {
  constexpr double lack = 0.03;  // of the unit
  pilots tried = beside_a_run();
  CHECK(pilot(tried, 2.0, 0.55, in_all + 0.7 * 0.1 - lack - 0.001) == slower);
  CHECK(pilot(tried, 2.0, 0.55, in_all + 0.7 * 0.1 - lack + 0.001) == better);

  double const first = 0.66;  // 0.11 more than by its half
  CHECK(pilot(tried, 2.0, 0.55, first) == better);
  tried.compare_with(2.0, first);
  CHECK(pilot(tried, 4.0, 0.64, first + 1.3 * 0.11 - lack - 0.001) == slower);
  CHECK(pilot(tried, 4.0, 0.64, first + 1.3 * 0.11 - lack + 0.001) == better);
}

TEST_CASE("a higher pilot that loses what there was is worse, at once where it lags far behind by its half") {
  pilots tried = beside_a_run();
  CHECK(pilot(tried, 2.0, 0.55, in_all - 0.031) == worse);
  CHECK(pilot(tried, 2.0, 0.55, in_all - 0.029) == slower);

  tried.begin(2.0);
  for (std::size_t i = 1; i < length / 2; ++i) REQUIRE(tried.add(0.0, false, 1.0) == open);
  CHECK(tried.add(0.5 * by_half - 0.001, false, 1.0) == worse);
}

TEST_CASE("pilots that each lack a little do not climb to where much is lost") {
  pilots tried(length);
  tried.follow(length, in_all);
  tried.compare_with(1.0, in_all);
  double fall = in_all;
  double value = 1.0;
  int steps = 0;
  while (pilot(tried, 2.0 * value, fall - 0.02, fall - 0.02) == better) {
    value *= 2.0;
    fall -= 0.02;
    tried.compare_with(value, fall);
    REQUIRE(++steps < 5);
  }
  CHECK(fall > in_all - 0.03);
}

TEST_CASE("a lower pilot has to gain, and from its half on to be as far as the run was") {
  pilots tried = beside_a_run();
  CHECK(pilot(tried, 0.25, by_half + 0.01, in_all + 0.049) == worse);
  CHECK(pilot(tried, 0.25, by_half + 0.01, in_all + 0.051) == better);
  CHECK(pilot(tried, 0.25, by_half - 0.01, in_all + 1.0) == worse);
}

TEST_CASE("a failed pilot is worse, and what was put off is due when the run has come as far again") {
  pilots tried = beside_a_run();
  tried.begin(2.0);
  CHECK(tried.add(10.0, true, 1.0) == worse);
  CHECK(tried.due(length));
  tried.put_off();
  CHECK_FALSE(tried.due(2 * length - 1));
  CHECK(tried.due(2 * length));
  tried.end();
  CHECK_FALSE(tried.due(2 * length));
  CHECK(pilots(15).length() == 0);
}
