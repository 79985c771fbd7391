#include "range_curve.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace autotunenet {

namespace {
// Metrics from the first value that is too high until divergence is certain.
constexpr std::size_t lag = 2;
// A metric mostly comes from single precision: training on all data at once shows no other noise at first.
constexpr double rounding = std::numeric_limits<float>::epsilon();
constexpr double infinity = std::numeric_limits<double>::infinity();
// How far beyond divergence the metric may still come below all that was before: what rises at the first values that
// matter often learns at higher ones.
constexpr double goes_on = 10.0;
}  // namespace

void range_curve::plan(std::size_t steps) {
  settle_ = std::max<std::size_t>(6, steps / 8);
  average_.keep(std::exp(-1.0 / (0.02 * static_cast<double>(steps) + 0.5)));
  values_.reserve(steps);
  smoothed_.reserve(steps);
  first_.reserve(settle_);
}

void range_curve::add(double value, double metric) {
  if (double const apart = std::abs(metric - last_); apart > 0.0) grain_ = std::min(grain_, apart);
  last_ = metric;
  // One that is far out would be in the average for long.
  average_.add(settled() && !over_before_ ? std::min(metric, over_from()) : metric);
  double const smoothed = average_.mean();
  values_.push_back(value);
  smoothed_.push_back(smoothed);
  if (!settled()) {
    first_.push_back(metric);
    if (first_.size() == settle_) settle();
    return;
  }

  double const jitter = std::max(start_.most_jitter(), grain());
  if (!again_ && start_.mean() - smoothed < 1.5 * jitter && std::abs(metric - start_.mean()) < 4.0 * jitter)
    start_.add(metric);
  if (smoothed < best_) {
    best_ = smoothed;
    best_value_ = value;
  }
  // By more than chance: a network that diverged and trains no more may be at what chance gives, a little lower.
  if (diverged() && smoothed < best_before_ - start_noise()) edge_ = infinity;
  bool const now = over(metric) || smoothed > best_ + tolerance();
  bool const far = metric > best_ + (flat() ? 40.0 * start_noise() : 4.0 * tolerance());
  if (now && over_before_) {
    diverge_at(far_before_ ? suspected_ : before_the_last());
    certain_ = certain_ || far || far_before_;
  }
  if (far) suspected_ = before_the_last();
  over_before_ = now;
  far_before_ = far;
}

// A few metrics may hold one that is far out, of which level and noise would be made: none counts as further from their
// median than ten deviations, as the median of all distances has them (Hampel 1974, "The influence curve and its role
// in robust estimation"). Metrics that mostly are equal have no such measure.
void range_curve::settle() {
  constexpr double deviation_of_normal = 1.4826, far_out = 10.0;
  auto const middle_of = [](std::vector<double> of) {
    auto const middle = of.begin() + static_cast<std::ptrdiff_t>(of.size() / 2);
    std::ranges::nth_element(of, middle);
    return *middle;
  };
  double const middle = middle_of(first_);
  std::vector<double> apart;
  for (double const metric : first_) apart.push_back(std::abs(metric - middle));
  double most = far_out * deviation_of_normal * middle_of(apart);
  if (most == 0.0) most = infinity;
  for (double const metric : first_) start_.add(std::clamp(metric, middle - most, middle + most));
  first_.clear();
}

void range_curve::begin_again(std::size_t steps) {
  if (!first_.empty()) settle();
  again_ = true;
  plan(steps);
  values_.clear();
  smoothed_.clear();
  average_ = recent_level(average_.kept());
  for (std::size_t i = 0; settled() && i < settle_; ++i) average_.add(start_.mean());
  best_ = edge_ = infinity;
  over_before_ = far_before_ = certain_ = false;
}

void range_curve::diverge_at(double edge) noexcept {
  if (diverged()) return;
  edge_ = edge;
  best_before_ = best_;
}

void range_curve::fail() {
  if (!first_.empty()) settle();
  diverge_at(far_before_ ? suspected_ : before_the_last());
  certain_ = true;
}

void range_curve::end() noexcept {
  if (!far_before_) return;
  diverge_at(suspected_);
  certain_ = true;
}

bool range_curve::conclusive() const noexcept {
  return certain_ || (diverged() && !values_.empty() && values_.back() > goes_on * edge_);
}

bool range_curve::over(double metric) const noexcept { return metric > over_from(); }

double range_curve::over_from() const noexcept {
  return flat() ? start_.mean() + 12.0 * start_noise() : best_ + 4.0 * tolerance();
}

double range_curve::tolerance() const noexcept {
  return std::max(0.25 * gained(), (flat() ? 12.0 : 2.0) * start_noise());
}

// By the error of the smoothed metric and of the level it is compared with.
double range_curve::fall_in_errors() const noexcept {
  double const error = std::hypot(smoothed_noise(), start_error());
  double const fall = gained() - rounding * std::abs(start_.mean());
  return fall > 0.0 ? fall / error : 0.0;
}

double range_curve::start_error() const noexcept {
  return start_deviation() / std::sqrt(std::max(start_.count(), 1.0));
}

double range_curve::smoothed_noise() const noexcept {
  return start_deviation() * std::sqrt((1.0 - average_.kept()) / (1.0 + average_.kept()));
}

double range_curve::before_the_last() const noexcept {
  if (values_.empty()) return infinity;
  return values_.size() > lag ? values_[values_.size() - 1 - lag] : values_.front();
}

// From there on it never lost half of that again before its lowest: noise alone may come as low once, far too early.
double range_curve::fallen_by(double part) const noexcept {
  double const reached = start_.mean() - part * gained();
  double const lost = start_.mean() - 0.5 * part * gained();
  double found = best_value_;
  for (std::size_t i = 0; i < smoothed_.size() && values_[i] < best_value_; ++i) {
    if (smoothed_[i] > lost)
      found = best_value_;
    else if (smoothed_[i] <= reached && found == best_value_)
      found = values_[i];
  }
  return found;
}

void range_curve::level::add(double metric) noexcept {
  if (count() > 0.0) differences += (metric - last) * (metric - last);
  last = metric;
  metrics.add(metric);
}

double range_curve::level::most_noise() const noexcept { return at_most(noise()); }

double range_curve::level::most_jitter() const noexcept {
  double const jitter = count() > 1.0 ? std::sqrt(0.5 * differences / (count() - 1.0)) : 0.0;
  return at_most(std::min(noise(), jitter));
}

// The quantile of chi-squared by the cube-root approximation (Wilson and Hilferty 1931, equation 18).
double range_curve::level::at_most(double noise) const noexcept {
  constexpr double one_percent = -2.326;
  double const spread = 2.0 / (9.0 * std::max(count() - 1.0, 1.0));
  double const quantile = std::max(1.0 - spread + one_percent * std::sqrt(spread), 0.1);
  return std::max(noise / std::sqrt(quantile * quantile * quantile), rounding * std::abs(mean()));
}

}  // namespace autotunenet
