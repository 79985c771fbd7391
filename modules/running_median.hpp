#pragma once
#include <algorithm>
#include <array>
#include <cstddef>

namespace autotunenet {

/// The median of the last few metrics, which a rare one that is far out does not move.
class running_median {
 public:
  static constexpr std::size_t most = 25;

  /// @param length metrics; `most` at most
  explicit running_median(std::size_t length) noexcept : length_(std::clamp<std::size_t>(length, 1, most)) {}

  void add(double metric) noexcept {
    last_[next_] = metric;
    next_ = (next_ + 1) % length_;
    count_ = std::min(count_ + 1, length_);
  }
  bool known() const noexcept { return count_ == length_; }
  /// @pre known()
  double value() const noexcept {
    std::array<double, most> sorted = last_;
    auto const middle = sorted.begin() + static_cast<std::ptrdiff_t>(length_ / 2);
    std::nth_element(sorted.begin(), middle, sorted.begin() + static_cast<std::ptrdiff_t>(length_));
    return *middle;
  }

  template <class Archive>
  void fields(Archive& a) {
    a(last_);
    a.below(next_, length_).below(count_, length_ + 1);
  }

 private:
  std::size_t length_;
  std::array<double, most> last_{};
  std::size_t next_ = 0;
  std::size_t count_ = 0;
};

}  // namespace autotunenet
