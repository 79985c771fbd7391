#pragma once
#include <cstdint>

#include "sample_mean.hpp"

namespace autotunenet {

/// Whether a metric that had clearly fallen rises again for good: means of long blocks show what the noise of a few
/// metrics hides. A network that slowly stops training goes this way.
class relapse {
 public:
  /// @param block metrics that are averaged
  explicit relapse(double block) noexcept : block_(block) {}

  /// @param start the level that the metric fell from; `reached`: where it is now
  void begin(double start, sample_mean const& reached) noexcept {
    start_ = start;
    best_ = reached;
    present_ = {};
    blocks_ = 0;
  }
  /// A metric; true where it ends a block whose mean has clearly lost a part of the fall to the best one.
  bool add(double metric) noexcept {
    present_.add(metric);
    if (present_.count() < block_) return false;
    ++blocks_;
    double const fall = start_ - best_.mean();
    bool const fell = fall > fall_errors * best_.error();
    bool const relapsed =
        fell && present_.mean() - best_.mean() > lost_part * fall && clearly_above(present_, best_, lost_errors);
    if (present_.mean() < best_.mean()) best_ = present_;
    present_ = {};
    return relapsed;
  }
  /// What was measured since the last block was taken back.
  void interrupt() noexcept { present_ = {}; }
  bool over() const noexcept { return blocks_ >= watched; }

  template <class Archive>
  void fields(Archive& a) {
    a(start_)(best_)(present_)(blocks_);
  }

 private:
  static constexpr double fall_errors = 4.0;
  static constexpr double lost_part = 0.2;
  static constexpr double lost_errors = 2.0;
  static constexpr std::uint64_t watched = 3;

  double block_;
  double start_ = 0.0;
  sample_mean best_, present_;
  std::uint64_t blocks_ = 0;
};

}  // namespace autotunenet
