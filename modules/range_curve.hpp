#pragma once
#include <cstddef>
#include <optional>
#include <vector>

namespace autotunenet {

/// The metric along a sweep of rising values, smoothed, and what it says about where the parameter works.
///
/// A metric is reported before its step is taken, so the metric after value k is the one that comes with value k + 1.
/// All decisions are the same under a shift or a scaling of the metric.
class range_curve {
 public:
  explicit range_curve(std::size_t steps);

  /// The metric that was seen after training at `value`; values rise.
  void add(double value, double metric);
  /// Training at `value` failed outright.
  void fail() noexcept { diverged_ = true; }
  /// Whether going further is of no use: the metric has lost most of what it had gained, or has left its first level
  /// far behind.
  bool diverged() const noexcept { return diverged_; }
  /// The value at the lowest smoothed metric; nothing if the metric never fell clearly below where it began.
  std::optional<double> lowest() const;

 private:
  double noise() const noexcept;

  std::vector<double> values_;
  std::vector<double> smoothed_;
  std::size_t settle_;  // metrics that measure the first level and its noise
  double average_ = 0.0;
  double weight_ = 0.0;
  double first_mean_ = 0.0;
  double first_squares_ = 0.0;
  std::size_t lowest_ = 0;
  bool diverged_ = false;
};

}  // namespace autotunenet
