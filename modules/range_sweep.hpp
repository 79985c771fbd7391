#pragma once
#include <cstddef>
#include <limits>

#include "override_check.hpp"
#include "range_curve.hpp"
#include "sweep_pass.hpp"

namespace autotunenet {

/// A sweep of a parameter from its lowest value to its highest, and where training goes on after it. Where it has far
/// to go it makes two passes, each from the same state: a rough one, and a finer one below where that diverged. For a
/// metric shows late what a value does to training, the later the faster values rise.
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
  /// It goes from here to there. @pre steps() > 0, 0 < lowest <= highest
  void begin(double lowest, double highest);
  bool begun() const noexcept { return pass_.taken() > 0; }
  /// The next value, and the last that it gave. @pre not pass_over()
  double next() noexcept { return pass_.next(); }
  double last() const noexcept { return pass_.last(); }
  /// Whether this pass has come to its end.
  bool pass_over() const noexcept { return curve_.conclusive() || random_ || pass_.over(); }
  /// Begins the finer pass after a rough one. False where there is none.
  bool refine();

  /// The value that ran where one was wanted. True where something else sets it too.
  bool overridden(double wanted, double ran) noexcept { return check_.overridden(wanted, ran); }
  /// Whether the last value ran.
  bool followed() const noexcept { return check_.followed(); }
  /// Whether metrics speak of the values: those ran, and failures did not come at random.
  bool speaks() const noexcept { return followed() && !random_; }

  /// The metric that was seen when the last value ran: it speaks of the one before.
  void add(double metric);
  void end() noexcept { curve_.end(); }
  /// Training failed outright at the last value. True where the pass begins anew: a failure that nothing announced, as
  /// a batch that cannot be read, has to come again at about the same value.
  bool fail();
  range_curve const& curve() const noexcept { return curve_; }
  /// Whether a value was too high, in any pass.
  bool diverged() const noexcept { return edge() < std::numeric_limits<double>::infinity(); }

  /// Where the metric fell. @pre curve().fell()
  landing where_it_fell() const noexcept;
  /// For a metric that never fell: the start, moved to where training works if that is known, or upwards to where it
  /// may work where no value was too high either, as far as metrics tell.
  double nearest_that_works(double start) const noexcept;

  /// With the number of steps, which a sweep under way keeps where the horizon is another.
  template <class Archive>
  void fields(Archive& a) {
    std::size_t steps = steps_;
    a.at_most(steps, options_.most_steps, "range_test: most_steps");
    if (steps == 1) a.refuse("holds a sweep of a single step");
    steps_ = steps;
    a(rough_);
    pass_.fields(a, steps_);
    a.between(broken_at_, std::numeric_limits<double>::denorm_min(), std::numeric_limits<double>::infinity());
    if (a.reading()) curve_.plan(curve_length());
    a(curve_)(check_)(failed_at_)(rough_failed_)(random_);
    a.below(repeated_, most_repeats + 1);
  }

 private:
  static constexpr std::size_t most_repeats = 2;

  static std::size_t steps_for(options const& given) noexcept;
  double edge() const noexcept;
  double lag() const noexcept;
  double highest_harmless() const noexcept;
  double greatest_divisor() const noexcept;
  double least_divisor() const noexcept;
  std::size_t curve_length() const noexcept { return rough_ ? pass_.length() : steps_; }
  double raise() const noexcept;

  options options_;
  std::size_t steps_;
  bool rough_ = false;  // this pass is followed by a finer one
  sweep_pass pass_;
  double broken_at_ = std::numeric_limits<double>::infinity();  // what showed divergence in a rough pass
  range_curve curve_;
  override_check check_;
  double failed_at_ = 0.0;  // in the sweep before; 0: nowhere
  std::size_t repeated_ = 0;
  bool rough_failed_ = false;  // that was in the rough pass, for certain
  bool random_ = false;        // failures came at values far apart
};

}  // namespace autotunenet
