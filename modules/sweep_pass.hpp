#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace autotunenet {

/// How many times the one is ten times the other, also where their ratio is no number.
inline double decades_between(double low, double high) noexcept { return std::log10(high) - std::log10(low); }

/// The values of one pass of a sweep: some at the lowest, to learn the level at the start, then rising by equal ratios.
class sweep_pass {
 public:
  sweep_pass() = default;
  /// @param length values, two at least beside those held at the lowest
  sweep_pass(double lowest, double highest, std::size_t length, std::size_t held) noexcept
      : lowest_(lowest), highest_(highest), length_(length), held_(held) {}

  /// @pre not over()
  double next() noexcept { return value(taken_++); }
  /// The value that `next` gave, and the one before. @pre taken() >= 1, 2
  double last() const noexcept { return value(taken_ - 1); }
  double before_last() const noexcept { return value(taken_ - 2); }
  double lowest() const noexcept { return lowest_; }
  std::size_t taken() const noexcept { return taken_; }
  bool over() const noexcept { return taken_ == length_; }
  void begin_again() noexcept { taken_ = 0; }
  std::size_t length() const noexcept { return length_; }
  /// Of neighbouring values that rise.
  double ratio() const noexcept { return std::pow(10.0, pace()); }

  /// @param most values that a pass may have
  template <class Archive>
  void fields(Archive& a, std::size_t most) {
    constexpr double smallest = std::numeric_limits<double>::denorm_min(), largest = std::numeric_limits<double>::max();
    a.below(length_, most + 1).below(held_, most + 1).below(taken_, length_ + 1);
    if (length_ == 0) return;
    if (length_ < held_ + 2) a.refuse("holds a pass of too few values");
    a.between(lowest_, smallest, largest).between(highest_, lowest_, largest);
  }

 private:
  /// In decades, from one value to the next.
  double pace() const noexcept { return decades_between(lowest_, highest_) / static_cast<double>(length_ - held_ - 1); }
  double value(std::size_t step) const noexcept {
    if (step + 1 == length_) return highest_;
    double const risen = step > held_ ? static_cast<double>(step - held_) : 0.0;
    return std::clamp(std::pow(10.0, std::log10(lowest_) + pace() * risen), lowest_, highest_);
  }

  double lowest_ = 0.0;
  double highest_ = 0.0;
  std::size_t length_ = 0;
  std::size_t held_ = 0;
  std::size_t taken_ = 0;
};

}  // namespace autotunenet
