#include "pilots.hpp"

#include <algorithm>

namespace autotunenet {

namespace {
// A higher value loses at first and gains by annealing later (Wu et al. 2018), so it may even lack a little of what the
// other one has; a lower one has to gain.
constexpr double may_lack = 0.03;
constexpr double has_to_gain = 0.05;
// Of what it is compared with fell by in the second half of a pilot's length, what a higher value has to fall by in all
// of one. A step further up from a pilot is nearer to where training comes apart, and has to keep more of the pace.
constexpr double pace_part = 0.7, further_pace_part = 1.3;
// Of the run's fall after half a pilot's length, what makes the other half of a pilot worth its steps.
constexpr double worth_while_above = 0.5;
constexpr double worth_while_below = 1.0;
}  // namespace

void pilots::compare_with(double value, double fall) noexcept {
  further_ = taken_ > 0;  // that was a pilot
  if (further_) half_fall_ = reached_by_half_;
  best_fall_ = further_ ? std::max(best_fall_, fall) : fall;
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
  if (half) reached_by_half_ = fall;
  bool const lags = half && fall < (rises() ? worth_while_above : worth_while_below) * half_fall_;
  if (failed || lags) return verdict::worse;
  if (taken_ < length_) return verdict::open;
  if (!rises()) return fall > compared_fall_ + has_to_gain * unit ? verdict::better : verdict::worse;
  // Each a little worse than the one before would be much worse in the end.
  if (!keeps_up(fall, best_fall_, unit)) return verdict::worse;
  double const part = further_ ? further_pace_part : pace_part;
  double const goes_on = std::max(part * (compared_fall_ - half_fall_), 0.0);
  return keeps_up(fall, compared_fall_ + goes_on, unit) ? verdict::better : verdict::slower;
}

bool pilots::keeps_up(double higher_fall, double fall, double unit) noexcept {
  return higher_fall > fall - may_lack * unit;
}

}  // namespace autotunenet
