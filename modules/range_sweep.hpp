#pragma once
#include <cstddef>

#include "range_curve.hpp"

namespace autotunenet {

/// A sweep of a parameter by equal ratios from its lowest value to its highest, and where training goes on after it.
class range_sweep {
 public:
  struct options {
    std::size_t horizon;  ///< observations that the run will have; 0: not known, then the sweep has `most_steps`
    double part;          ///< of the horizon, what the sweep takes
    double most_part;     ///< the same, where that is less than enough
    std::size_t least_steps, enough_steps, most_steps;
    std::size_t long_run;   ///< observations of a run that begins no higher than others
    double back_off;        ///< what the edge of divergence is divided by
    double least_back_off;  ///< the same, for the shortest runs
  };
  struct landing {
    double value;
    double safe;  ///< for a run of any length
  };

  explicit range_sweep(options const& given) : options_(given), steps_(steps_for(given)), curve_(steps_) {}

  /// 0 where the run is too short for a sweep.
  std::size_t steps() const noexcept { return steps_; }
  /// Where a step of the sweep lies: the lowest value is 0, the highest 1. @pre step < steps()
  double position(std::size_t step) const noexcept {
    return static_cast<double>(step) / static_cast<double>(steps_ - 1);
  }

  /// The value that ran where one was wanted. True where something else sets it too, as a schedule of the training
  /// loop's own: metrics say nothing of the sweep's values then.
  bool overridden(double wanted, double ran) noexcept;
  /// Whether the last value ran.
  bool followed() const noexcept { return not_followed_ == 0; }
  /// Whether metrics speak of the values: those ran, and failures did not come at random.
  bool speaks() const noexcept { return followed() && !random_; }

  /// As of `range_curve`.
  void add(double value, double metric) { curve_.add(value, metric); }
  void end() noexcept { curve_.end(); }
  /// Training failed outright at a value. True where the sweep begins anew: a failure that nothing announced, as a
  /// batch that cannot be read, has to come again at about the same value.
  bool fail(double value);
  range_curve const& curve() const noexcept { return curve_; }

  /// Where the metric fell. @param ratio of neighbouring values. @pre curve().fell()
  landing where_it_fell(double ratio) const noexcept;
  /// For a metric that never fell: the start, moved to where training works if that is known.
  double nearest_that_works(double start) const noexcept;

  /// With the number of steps, which a sweep under way keeps where the horizon is another.
  template <class Archive>
  void fields(Archive& a) {
    std::size_t steps = steps_;
    a.at_most(steps, options_.most_steps, "range_test: most_steps");
    if (steps == 1) a.refuse("holds a sweep of a single step");
    if (steps != steps_) {
      curve_.plan(steps);
      steps_ = steps;
    }
    a(curve_)(not_followed_)(failed_at_)(random_);
    a.below(repeated_, most_repeats + 1);
  }

 private:
  static constexpr std::size_t most_repeats = 2;

  static std::size_t steps_for(options const& given) noexcept;
  double greatest_divisor() const noexcept;
  double least_divisor(double ratio) const noexcept;
  double raise() const noexcept;

  options options_;
  std::size_t steps_;
  range_curve curve_;
  std::size_t not_followed_ = 0;  // values in a row, the last ones, that did not run
  double failed_at_ = 0.0;        // in the sweep before; 0: nowhere
  std::size_t repeated_ = 0;
  bool random_ = false;  // failures came at values far apart
};

}  // namespace autotunenet
