#pragma once
#include <cmath>
#include <limits>

namespace autotunenet {

/// The mean of measurements, of which none are kept, and how far they scatter (Welford 1962, "Note on a method for
/// calculating corrected sums of squares and products").
class sample_mean {
 public:
  void add(double measured) noexcept {
    count_ += 1.0;
    double const from_mean = measured - mean_;
    mean_ += from_mean / count_;
    squares_ += from_mean * (measured - mean_);
  }
  double count() const noexcept { return count_; }
  double mean() const noexcept { return mean_; }
  /// Of one measurement; 0 where there are fewer than two.
  double deviation() const noexcept { return count_ > 1.0 ? std::sqrt(squares_ / (count_ - 1.0)) : 0.0; }
  /// Of the mean; infinity where there are fewer than two measurements.
  double error() const noexcept {
    return count_ < 2.0 ? std::numeric_limits<double>::infinity() : std::sqrt(squares_ / (count_ - 1.0) / count_);
  }

  template <class Archive>
  void fields(Archive& a) {
    a(count_)(mean_)(squares_);
  }

 private:
  double count_ = 0.0;
  double mean_ = 0.0;
  double squares_ = 0.0;  // about the mean
};

/// Whether the one mean lies above the other by so many standard errors of their difference (Welch 1947, "The
/// generalization of Student's problem when several different population variances are involved").
inline bool clearly_above(sample_mean const& one, sample_mean const& other, double errors) noexcept {
  return one.mean() - other.mean() > errors * std::hypot(one.error(), other.error());
}

}  // namespace autotunenet
