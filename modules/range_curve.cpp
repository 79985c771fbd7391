#include "range_curve.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <vector>

#include "range_curve.hpp"

namespace autotunenet {

namespace {
constexpr double memory = 0.75;  // of the exponential average, per step
}

range_curve::range_curve(std::size_t steps) : settle_(std::clamp<std::size_t>(steps / 12, 4, 10)) {
  values_.reserve(steps);
  smoothed_.reserve(steps);
}

void range_curve::add(double value, double metric) {
  average_ = memory * average_ + (1.0 - memory) * metric;
  weight_ = memory * weight_ + (1.0 - memory);
  values_.push_back(value);
  smoothed_.push_back(average_ / weight_);
  std::size_t const n = smoothed_.size();
  if (n <= settle_) {
    double const from_mean = metric - first_mean_;
    first_mean_ += from_mean / static_cast<double>(n);
    first_squares_ += from_mean * (metric - first_mean_);
    return;
  }
  double const now = smoothed_.back();
  if (now < smoothed_[lowest_]) lowest_ = n - 1;
  double const gained = first_mean_ - smoothed_[lowest_];
  double const lost = now - smoothed_[lowest_];
  // Half of the gain, and clearly more than noise; one outlier among the metrics is not enough.
  diverged_ = lost > std::max(0.5 * gained, 4.0 * noise()) && metric > smoothed_[lowest_] + 0.5 * gained;
}

std::optional<double> range_curve::lowest() const {
  if (smoothed_.size() <= settle_) return std::nullopt;
  // The error of the smoothed metric and of the first level it is compared with.
  double const error = noise() * std::sqrt((1.0 - memory) / (1.0 + memory) + 1.0 / static_cast<double>(settle_));
  if (!(first_mean_ - smoothed_[lowest_] > 4.0 * error)) return std::nullopt;
  return values_[lowest_];
}

double range_curve::noise() const noexcept {
  auto const n = static_cast<double>(std::min(settle_, smoothed_.size()));
  return n > 1.0 ? std::sqrt(first_squares_ / (n - 1.0)) : 0.0;
}

}  // namespace autotunenet
