#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

namespace autotunenet {

/// Tells when a metric of data that training does not see turns up while the metric of training goes on falling: early
/// stopping's question (Prechelt 1998, "Early stopping - but when?", section 2), asked against the noise.
///
/// There must have been something to lose: a clear fall, and a rise that is not much more than it. A metric that grows
/// while training goes well has neither. Constant memory; shifting or scaling either metric changes nothing.
class overfitting_detector {
 public:
  /// Takes a metric of training. @pre finite
  void train(double metric) noexcept {
    count_ += 1.0;
    mean_ += (metric - mean_) / count_;
  }

  /// Takes a metric of validation; returns whether it has turned up. @pre finite
  bool validate(double metric) noexcept {
    double const trained = count_ > 0.0 ? mean_ : std::numeric_limits<double>::quiet_NaN();
    mean_ = count_ = 0.0;
    if (seen_ > 0) differences_[(seen_ - 1) % differences_.size()] = std::abs(metric - last_);
    last_ = metric;
    if (seen_++ == 0) first_ = metric;
    if (seen_ == 1 || metric < best_) {
      best_ = metric;
      trained_at_best_ = trained;
      return false;
    }
    double const fall = first_ - best_, rise = metric - best_, least = noise();
    return fall > 2.0 * least && rise > least && rise < 2.0 * fall && trained < trained_at_best_;
  }

  template <class Archive>
  void fields(Archive& a) {
    a(mean_)(count_)(seen_)(first_)(best_)(trained_at_best_)(last_)(differences_);
  }

 private:
  // The standard deviation of normal noise from the median difference of neighbours, which a few large steps do not
  // move: median |x - y| = 0.954 sigma.
  double noise() const noexcept {
    std::array<double, memory> sorted = differences_;
    auto const known = static_cast<std::ptrdiff_t>(std::min(seen_ - 1, memory));
    auto const middle = sorted.begin() + known / 2;
    std::nth_element(sorted.begin(), middle, sorted.begin() + known);
    return *middle / 0.954;
  }

  static constexpr std::size_t memory = 15;

  double mean_ = 0.0;  // of training since the last validation
  double count_ = 0.0;
  std::size_t seen_ = 0;
  double first_ = 0.0;
  double best_ = 0.0;
  double trained_at_best_ = 0.0;
  double last_ = 0.0;
  std::array<double, memory> differences_{};
};

}  // namespace autotunenet
