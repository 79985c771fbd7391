#pragma once

#include <cstddef>
#include <limits>

namespace training {

/// Reduce on plateau: the rate falls by `factor` when more than `patience` epochs in a row have not been better than
/// the best by a relative `threshold`, as the schedulers of the frameworks do.
class plateau {
 public:
  explicit plateau(std::size_t patience = 2, double factor = 0.5, double threshold = 1e-4)
      : patience_(patience), factor_(factor), threshold_(threshold) {}

  /// The multiple to apply to the rate now: 1 or `factor`.
  double tell(double loss) {
    if (loss < best_ * (1.0 - threshold_)) {
      best_ = loss;
      bad_ = 0;
      return 1.0;
    }
    if (++bad_ <= patience_) return 1.0;
    bad_ = 0;
    return factor_;
  }

 private:
  std::size_t patience_;
  double factor_;
  double threshold_;
  double best_ = std::numeric_limits<double>::infinity();
  std::size_t bad_ = 0;
};

}  // namespace training
