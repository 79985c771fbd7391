#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

namespace autotunenet::detail {

/// Turns metrics into rewards: the improvement per step, in units of recent improvements. The unit makes rewards blind
/// to a metric's scale and offset, and comparable while progress slows down.
class improvement {
 public:
  static constexpr std::size_t recall = 32;
  static constexpr double most = 5.0;  // what one wild metric may count for

  struct reward {
    double value = 0.0;
    double noise = 0.0;  ///< standard error, of both metrics
    /// Standard error of the first of them, that of the baseline; at most what the reward before counted for it, so
    /// that a chain of rewards keeps a covariance that can be.
    double shared = 0.0;
  };

  bool has_baseline() const noexcept { return known_; }
  /// From here on the metric counts from its next value.
  void forget_baseline() noexcept { known_ = false; }
  void baseline(double metric, double noise) noexcept {
    metric_ = metric;
    noise_ = noise > 0.0 && noise <= largest ? noise : 0.0;
    known_ = true;
  }

  /// Of the stretch that ended in `metric`, which becomes the baseline of the next; all of it finite. A noise that is
  /// not above 0, or too large to reckon with, is not known. @pre has_baseline(), steps above 0
  reward of(double metric, double noise, double steps) noexcept {
    using limits = std::numeric_limits<double>;
    steps = std::min(steps, largest);
    double const rate = std::clamp(fall_to(metric) / steps, -huge, huge);
    double const error_if_told = std::hypot(noise, noise_) / steps;
    bool const told = noise > 0.0 && noise_ > 0.0 && std::isfinite(error_if_told);
    double const error = told ? error_if_told : 0.0;
    double const shared = told ? noise_ / steps : 0.0;
    baseline(metric, noise);
    double const counted = std::exchange(counted_, 0.0);
    rates_[seen_++ % recall] = std::abs(rate);
    double const usual = median(rates_);
    if (!(usual > 0.0)) return keep({.value = rate == 0.0 ? 0.0 : std::copysign(most, rate)});
    double const unit = std::max(usual, limits::min());
    double const scale = error / unit > most ? most / error : 1.0 / unit;
    if (told) counted_ = std::min(noise / steps * scale, most);
    return keep({std::clamp(rate / unit, -most, most), error * scale, std::min(shared * scale, counted)});
  }

  /// Clearly worse than anything that went well lately.
  reward failure() const noexcept {
    std::size_t const n = std::min(given_, recall);
    double const worst =
        n == 0 ? 0.0 : *std::min_element(rewards_.begin(), rewards_.begin() + static_cast<std::ptrdiff_t>(n));
    return {.value = std::min(worst, 0.0) - 1.0};
  }

  template <class Archive>
  void fields(Archive& a) {
    for (double& rate : rates_) a.between(rate, 0.0, huge);  // NaN has no place in an order
    for (double& reward : rewards_) a.between(reward, -most, most);
    a(seen_)(given_).between(metric_, -largest, largest).between(noise_, 0.0, largest);
    a.between(counted_, 0.0, most)(known_);
  }

 private:
  static constexpr double huge = 1e150;  // keeps the arithmetic of absurd metrics finite
  static constexpr double largest = std::numeric_limits<double>::max();
  // Of a metric: how far the mean of equal values may miss them, of as many as an average holds.
  static constexpr double rounding = 1e-12;

  // Where nothing improves, the unit would be rounding, and rounding an improvement.
  double fall_to(double metric) const noexcept {
    double const fall = metric_ - metric;
    return std::abs(fall) <= rounding * std::max(std::abs(metric), std::abs(metric_)) ? 0.0 : fall;
  }

  reward keep(reward given) noexcept {
    rewards_[given_++ % recall] = given.value;
    return given;
  }
  double median(std::array<double, recall> values) const noexcept {
    auto const n = static_cast<std::ptrdiff_t>(std::min(seen_, recall));
    auto const middle = values.begin() + n / 2;
    std::nth_element(values.begin(), middle, values.begin() + n);
    return *middle;
  }

  std::array<double, recall> rates_{};
  std::array<double, recall> rewards_{};
  std::size_t seen_ = 0;
  std::size_t given_ = 0;
  double metric_ = 0.0;
  double noise_ = 0.0;
  double counted_ = 0.0;  // of the baseline's noise, in the last reward
  bool known_ = false;
};

}  // namespace autotunenet::detail
