#pragma once
#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

#include "recent_level.hpp"
#include "sample_mean.hpp"

namespace autotunenet {

/// The metric along a sweep of rising values, smoothed, and what it says about where the parameter works. All decisions
/// are the same under a shift or a scaling of the metric.
class range_curve {
 public:
  /// @param steps how many metrics the sweep has at most
  explicit range_curve(std::size_t steps) { plan(steps); }
  /// As if it had been made for so many; what was added stays.
  void plan(std::size_t steps);
  /// The same metric once more, from the same state, along so many other values: what is known of the start stays.
  void begin_again(std::size_t steps);

  /// The metric that was seen after training at `value`; values rise, metrics are finite. A single one that is far out
  /// decides nothing.
  void add(double value, double metric);
  /// Whether the level at the start is known.
  bool settled() const noexcept { return start_.count() > 0.0; }
  /// Whether the last metric was worse than chance allows: a failure that follows was announced.
  bool warned() const noexcept { return over_before_ || diverged(); }
  /// Training failed outright at the next value.
  void fail();
  /// No more metrics come.
  void end() noexcept;
  /// Whether the metric has lost a good part of what it had gained, or has left the level at the start far behind, and
  /// has not been better since.
  bool diverged() const noexcept { return certain_ || edge_ < std::numeric_limits<double>::infinity(); }
  /// Whether going further is of no use: that was values far lower ago, or left no doubt.
  bool conclusive() const noexcept;
  /// Whether the metric ever fell below the level at the start, by more than chance.
  bool fell() const noexcept { return fall_in_errors() > (diverged() ? clear_before_divergence : clear); }
  /// The same, beyond doubt.
  bool fell_clearly() const noexcept { return fall_in_errors() > clear; }
  /// The first value at which the smoothed metric had made this part of its fall, to keep most of it. Where the sweep
  /// gets rough long before it diverges, that is where it was smooth still. @pre fell()
  double fallen_by(double part) const noexcept;
  /// The last value before divergence began, as far as that can be told: it shows late, the later the coarser the
  /// sweep is. Infinity where nothing diverged, or the first value failed outright.
  double edge() const noexcept { return edge_; }
  /// The level at the start, and how far the smoothed metric fell below it.
  double start_level() const noexcept { return start_.mean(); }
  /// The standard error of the level at the start.
  double start_error() const noexcept;
  /// The noise of one metric at the start, as far as it is known, and what it is at most.
  double start_deviation() const noexcept { return std::max(start_.noise(), grain()); }
  double start_noise() const noexcept { return std::max(start_.most_noise(), grain()); }
  double fall() const noexcept { return gained(); }
  /// What the noise of one metric makes of the smoothed one.
  double smoothed_noise() const noexcept;

  template <class Archive>
  void fields(Archive& a) {
    a(values_)(smoothed_)(average_)(first_)(start_)(last_)(grain_)(best_)(best_value_);
    a(again_)(over_before_)(far_before_)(suspected_)(edge_)(best_before_)(certain_);
    bool const found = best_ < std::numeric_limits<double>::infinity();
    bool const settling = first_.size() == values_.size() || settled();
    if (smoothed_.size() != values_.size() || (found && values_.empty()) || !settling) a.refuse("holds half a curve");
  }

 private:
  // The level at the start and its noise, from the values that are too low to matter.
  struct level {
    sample_mean metrics;
    double last = 0.0;
    double differences = 0.0;  // of neighbours, squared
    void add(double metric) noexcept;
    double mean() const noexcept { return metrics.mean(); }
    double count() const noexcept { return metrics.count(); }
    double noise() const noexcept { return metrics.deviation(); }
    /// What the noise is at most, with a confidence of 99 %: a few metrics may lie close together by chance.
    double most_noise() const noexcept;
    /// The same about a level that drifts, by neighbours' differences (von Neumann et al. 1941, "The mean square
    /// successive difference"). Too small where metrics depend on those before them, so it decides only how long the
    /// level at the start lasts: by the noise about the mean, which a fall makes grow, that might never end.
    double most_jitter() const noexcept;
    double at_most(double noise) const noexcept;
    template <class Archive>
    void fields(Archive& a) {
      a(metrics)(last)(differences);
    }
  };

  // Standard errors that a fall has to have; fewer where divergence after it shows that values of this size matter.
  static constexpr double clear = 4.0, clear_before_divergence = 2.5;

  void settle();
  void diverge_at(double edge) noexcept;
  double fall_in_errors() const noexcept;
  bool over(double metric) const noexcept;
  double gained() const noexcept { return start_.mean() - best_; }
  double over_from() const noexcept;
  bool flat() const noexcept { return gained() <= 1.5 * start_noise(); }
  /// What the metric can tell apart: the accuracy of a few hundred examples moves by steps, and by none for long.
  double grain() const noexcept { return grain_ < std::numeric_limits<double>::infinity() ? grain_ : 0.0; }
  double tolerance() const noexcept;
  double before_the_last() const noexcept;

  std::size_t settle_ = 0;  // metrics that always belong to the level at the start
  std::vector<double> values_;
  std::vector<double> smoothed_;
  recent_level average_;
  std::vector<double> first_;  // metrics, until the level at the start is made of them
  level start_;
  bool again_ = false;  // the first values may matter: none of their metrics belongs to the level at the start
  double last_ = std::numeric_limits<double>::quiet_NaN();
  double grain_ = std::numeric_limits<double>::infinity();  // the smallest difference of neighbours that differ
  double best_ = std::numeric_limits<double>::infinity();
  double best_value_ = 0.0;
  bool over_before_ = false;
  bool far_before_ = false;
  double suspected_ = 0.0;  // the edge, if the next metric is over as well
  double edge_ = std::numeric_limits<double>::infinity();
  double best_before_ = 0.0;  // where it diverged
  bool certain_ = false;      // that it diverged: training failed, or was far out more than once
};

}  // namespace autotunenet
