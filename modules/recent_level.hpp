#pragma once

namespace autotunenet {

/// Where a metric has been lately: its exponential average.
class recent_level {
 public:
  void add(double metric) noexcept {
    sum_ = kept * sum_ + (1.0 - kept) * metric;
    weight_ = kept * weight_ + (1.0 - kept);
  }
  bool known() const noexcept { return weight_ > 0.0; }
  /// @pre known()
  double mean() const noexcept { return sum_ / weight_; }

  template <class Archive>
  void fields(Archive& a) {
    a(sum_)(weight_);
  }

 private:
  static constexpr double kept = 0.9;  // per metric
  double sum_ = 0.0;
  double weight_ = 0.0;
};

}  // namespace autotunenet
