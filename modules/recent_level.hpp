#pragma once

namespace autotunenet {

/// Where a metric has been lately: its exponential average.
class recent_level {
 public:
  /// @param kept of the average, per metric: 0 to 1
  explicit recent_level(double kept = 0.9) noexcept : kept_(kept) {}

  void add(double metric) noexcept {
    sum_ = kept_ * sum_ + (1.0 - kept_) * metric;
    weight_ = kept_ * weight_ + (1.0 - kept_);
  }
  bool known() const noexcept { return weight_ > 0.0; }
  /// @pre known()
  double mean() const noexcept { return sum_ / weight_; }
  double kept() const noexcept { return kept_; }
  /// From the next metric on.
  void keep(double kept) noexcept { kept_ = kept; }

  template <class Archive>
  void fields(Archive& a) {
    a(sum_)(weight_);
  }

 private:
  double kept_;
  double sum_ = 0.0;
  double weight_ = 0.0;
};

}  // namespace autotunenet
