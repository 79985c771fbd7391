#include "../modules/standstill.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <limits>

#include "support/noise.hpp"

using autotunenet::standstill_detector;

namespace {

constexpr int steps = 1000;

/// Whether a run stands still whose metric is `of(progress)`, with normal noise of that deviation.
template <class Metric>
bool stands_still(Metric of, double noise = 0.0, unsigned seed = 1, int horizon = steps) {
  support::noise random(seed);
  standstill_detector detector;
  for (int step = 0; step < horizon; ++step) {
    double const progress = static_cast<double>(step) / horizon;
    detector.add(of(progress) + noise * random.normal(), progress);
  }
  return detector.stands_still();
}

/// How many of 200 runs with different noise.
template <class Metric>
int how_many(Metric of, double noise) {
  int found = 0;
  for (unsigned seed = 1; seed <= 200; ++seed) found += stands_still(of, noise, seed) ? 1 : 0;
  return found;
}

double learning(double progress) { return std::pow(progress + 0.01, -0.5); }
double settled(double progress) { return 5.0 + 3.0 * std::exp(-progress / 0.04); }

}  // namespace

TEST_CASE("what has settled stands still, what goes on learning does not") {
  CHECK(stands_still(settled));
  CHECK(stands_still(settled, 0.1));
  CHECK_FALSE(stands_still(learning));
  CHECK_FALSE(stands_still([](double progress) { return 1.0 - progress; }));
}

TEST_CASE("a metric that rises after it has settled does not stand still: its data have changed") {
  CHECK_FALSE(stands_still([](double progress) { return settled(progress) + (progress > 0.4 ? 2.0 : 0.0); }));
}

TEST_CASE("shifting and scaling the metric changes nothing") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    bool const as_it_is = stands_still(settled, 2.0, seed);
    CHECK(as_it_is == stands_still([](double p) { return 1e6 + 1e-3 * settled(p); }, 2e-3, seed));
    CHECK(as_it_is == stands_still([](double p) { return -50.0 + 1e4 * settled(p); }, 2e4, seed));
  }
}

TEST_CASE("noise is told from standing still") {
  CHECK(how_many(settled, 0.1) > 180);
  CHECK(how_many(learning, 1.0) < 10);
  CHECK(how_many([](double) { return 0.0; }, 1.0) < 5);
}

TEST_CASE("a run too short to tell does not stand still, and neither does one that was not heard") {
  CHECK_FALSE(stands_still(settled, 0.0, 1, 5));
  CHECK_FALSE(standstill_detector{}.stands_still());
  CHECK_FALSE(stands_still([](double) { return 1.0; }));
  CHECK_FALSE(stands_still([](double progress) { return std::numeric_limits<double>::max() * (0.5 - progress); }));
}
