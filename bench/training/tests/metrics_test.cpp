#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <cmath>
#include <vector>

#include "shift_metrics.hpp"
#include "statistics.hpp"

using namespace training;
using Catch::Matchers::WithinAbs;

namespace {

std::vector<measurement> history(std::vector<double> const& losses) {
  std::vector<measurement> all;
  for (std::size_t i = 0; i < losses.size(); ++i)
    all.push_back({.epoch = 0.5 * static_cast<double>(i + 1), .val_loss = losses[i]});
  return all;
}

}  // namespace

TEST_CASE("a shift is measured from the last loss before it") {
  auto const took = measure_shift(history({1.0, 0.5, 2.0, 1.0, 0.75, 0.6}), 1.0, 0.8);
  CHECK_THAT(took.spike, WithinAbs(4.0, 1e-12));
  CHECK_THAT(took.degradation, WithinAbs(0.1, 1e-12));
  CHECK_THAT(took.cumulative, WithinAbs(0.5 * (2.0 + 1.0 + 0.75 + 0.6), 1e-12));
  CHECK_THAT(took.recovery, WithinAbs(1.5, 1e-12));
}

TEST_CASE("a run that never recovers counts all epochs after the shift, one that was lost counts a loss of 10") {
  auto const took = measure_shift(history({1.0, 0.5, 2.0, std::nan(""), 1e9, 3.0}), 1.0, 0.8);
  CHECK_THAT(took.recovery, WithinAbs(2.0, 1e-12));
  CHECK_THAT(took.spike, WithinAbs(20.0, 1e-12));
  CHECK_THAT(took.cumulative, WithinAbs(0.5 * (2.0 + 10.0 + 10.0 + 3.0), 1e-12));
}

TEST_CASE("a history that ends before the shift has no measures") {
  CHECK(std::isnan(measure_shift(history({1.0}), 1.0, 0.8).cumulative));
}

TEST_CASE("NaN takes part in a median as what was lost") {
  CHECK(median({3.0, 1.0, 2.0}, 0.0) == 2.0);
  CHECK(median({3.0, 1.0, 2.0, 4.0}, 0.0) == 2.5);
  CHECK(median({3.0, std::nan(""), 2.0}, 0.0) == 2.0);
  CHECK(median({3.0, std::nan(""), 2.0}, 9.0) == 3.0);
  CHECK(std::isnan(median({}, 9.0)));
  CHECK(least({3.0, std::nan("")}, 0.0) == 0.0);
  CHECK(greatest({3.0, std::nan("")}, 9.0) == 9.0);
}
