#include "pilots.hpp"

namespace autotunenet {

namespace {
// A higher value loses at first and gains by annealing later (Wu et al. 2018), so it may even lose a little of what the
// run has; a lower one has to gain.
constexpr double may_lack = 0.03;
constexpr double has_to_gain = 0.05;
// Of the run's fall after half a pilot's length, what makes the other half of a pilot worth its steps.
constexpr double worth_while_above = 0.5;
constexpr double worth_while_below = 1.0;
}  // namespace

void pilots::compare_with(double value, double fall) noexcept {
  compared_value_ = value;
  compared_fall_ = fall;
}

void pilots::begin(double value) noexcept {
  value_ = value;
  taken_ = 0;
}

pilots::verdict pilots::add(double fall, bool failed, double unit) noexcept {
  ++taken_;
  bool const half = taken_ == length_ / 2;
  bool const lags = half && fall < (rises() ? worth_while_above : worth_while_below) * half_fall_;
  if (failed || lags) return verdict::worse;
  if (taken_ < length_) return verdict::open;
  double const needed = compared_fall_ + (rises() ? -may_lack : has_to_gain) * unit;
  return fall > needed ? verdict::better : verdict::worse;
}

bool pilots::regretted(double fall, double unit) const noexcept { return fall < compared_fall_ - may_lack * unit; }

}  // namespace autotunenet
