#pragma once
#include "recent_level.hpp"
#include "sample_mean.hpp"

namespace autotunenet {

/// Training that began at some value, as far as its metric tells.
class stretch {
 public:
  /// @param length training steps by which it is judged
  explicit stretch(double length) noexcept : half_(0.5 * length) {}

  void trained(double steps) noexcept { steps_ += steps; }
  void measured(double metric) noexcept {
    level_.add(metric);
    if (steps_ <= half_) return;
    late_.add(metric);
    if (steps_ <= 1.5 * half_) third_quarter_.add(metric);
  }
  double steps() const noexcept { return steps_; }
  recent_level const& level() const noexcept { return level_; }
  /// Of what came after half the length.
  sample_mean const& late() const noexcept { return late_; }
  /// Whether the last quarter of the length was no better than the one before, of which enough metrics are known.
  bool stalled() const noexcept {
    constexpr double enough = 16.0;
    // The mean of both lies between theirs.
    return third_quarter_.count() >= enough && late_.count() >= third_quarter_.count() + enough &&
           late_.mean() >= third_quarter_.mean();
  }

  template <class Archive>
  void fields(Archive& a) {
    a(steps_)(level_)(late_)(third_quarter_);
  }

 private:
  double half_;
  double steps_ = 0.0;
  recent_level level_;
  sample_mean late_, third_quarter_;
};

}  // namespace autotunenet
