module;
#include <cstddef>
#include <limits>
#include <memory_resource>

export module autotunenet:guard;

import :generator;

export namespace autotunenet {

/// All counts are observations that reach the guard.
struct guard_options {
  /// Observations during which the start configuration is held and nothing is judged; failures act all the same.
  std::size_t warm_up = 0;
  /// A gate that opens once: warm-up also lasts until a smoothed metric is at least this good (at most this value).
  double warm_up_metric = std::numeric_limits<double>::infinity();

  /// The largest step of one suggestion, relative: on a log scale new / old lies in [1 / (1 + max_delta), 1 +
  /// max_delta]; on a linear scale |new - old| <= max_delta * max(|old|, (max - min) / 10), so that a value at 0 can
  /// move. Whole numbers can always move by one; categories may change freely.
  double max_delta = 0.5;

  /// How much of what was gained may be lost before it counts as a regression: the smoothed metric may be worse than
  /// its recent best by this fraction of the gain since the start (plus `noise_margin` standard errors).
  /// Measured in the metric's own spread, so scaling or shifting the metric changes nothing.
  double max_regression = 0.2;
  double noise_margin = 4.0;
  /// Metrics averaged for the regression test.
  std::size_t window = 5;
  /// How many averages back the recent best may lie.
  std::size_t recall = 200;
  /// Consecutive regressions before a rollback.
  std::size_t patience = 3;
  /// Observations after a rollback during which regressions do not roll back again. Failures still act.
  std::size_t cooldown = 10;

  /// Where nothing good is known, or the good does not help any more, each back-off moves a log parameter named in
  /// `safety` down by this factor.
  double back_off = 0.5;
};

/// The stage that keeps a run whole. In order: bounds always hold; warm-up; bounded steps; a regression test with
/// patience; rollback to the last configuration that survived patience, exactly; cooldown; back-off.
///
/// Suggestions of a reversible trial (`reason::range_test`, and the one that ends it) pass within bounds, unjudged.
/// The inner tuner is told what was applied, and is told every failure. Throws `invalid_option`.
class guard {
 public:
  explicit guard(guard_options options = {}, std::pmr::memory_resource* memory = nullptr);
  suggestions operator()(suggestions inner) const;

 private:
  guard_options options_;
  std::pmr::memory_resource* memory_;
};

}  // namespace autotunenet
