#pragma once
#include <cmath>

#include "sample_mean.hpp"

namespace autotunenet {

/// Tells at half of a run whether training stands still at the rate that it had until then, so that only a lower one
/// still gains: noise bounds it, as on the noisy quadratic of Wu et al. 2018, where a network would go on learning.
///
/// Compares the mean metric between 15 and 35 % of the run with those before (from 5 %) and after (to 50 %): it stands
/// still where next to nothing of the earlier gain is left. Shifting or scaling the metric changes nothing. A metric
/// that rises clearly does not stand still: its data have changed.
class standstill_detector {
 public:
  /// @pre the metric is finite @param progress of the run, from 0 to 1
  void add(double metric, double progress) noexcept {
    if (progress < 0.05 || progress >= 0.5) return;
    (progress < 0.15 ? early_ : progress < 0.35 ? middle_ : late_).add(metric);
    judge();
  }

  /// False where too few metrics were heard, or they are too noisy, to tell.
  bool stands_still() const noexcept { return stands_still_; }

  template <class Archive>
  void fields(Archive& a) {
    a(early_)(middle_)(late_);
    judge();
  }

 private:
  // Asked for at each step of the second half, in which nothing changes it.
  void judge() noexcept {
    stands_still_ = false;
    if (late_.count() < 2.0) return;
    constexpr double clear = 3.0, little = 0.1, close = 0.5, rising = 2.0;  // but `little` in standard errors
    double const error = std::hypot(early_.error(), middle_.error(), late_.error());
    double const gained = early_.mean() - middle_.mean();
    double const gains = middle_.mean() - late_.mean();
    stands_still_ =
        gained > clear * error && gains < little * gained + close * error && -gains < little * gained + rising * error;
  }

  sample_mean early_;
  sample_mean middle_;
  sample_mean late_;
  bool stands_still_ = false;  // derived from them
};

}  // namespace autotunenet
