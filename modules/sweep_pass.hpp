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
  sweep_pass(double lowest, double highest, std::size_t length, std::size_t held, std::size_t taken = 0,
             double last = 0.0, double before_last = 0.0) noexcept
      : lowest_(lowest),
        highest_(highest),
        length_(length),
        held_(held),
        taken_(taken),
        last_(last),
        before_last_(before_last),
        pace_(decades_between(lowest, highest) / static_cast<double>(length - held - 1)) {}

  /// @pre not over()
  double next() noexcept {
    std::size_t const risen = taken_ > held_ ? taken_ - held_ : 0;
    ++taken_;
    before_last_ = last_;
    double const there = std::pow(10.0, std::log10(lowest_) + pace_ * static_cast<double>(risen));
    last_ = over() ? highest_ : std::clamp(there, lowest_, highest_);
    return last_;
  }
  /// The value that `next` gave, and the one before. @pre taken() >= 1, 2
  double last() const noexcept { return last_; }
  double before_last() const noexcept { return before_last_; }
  double lowest() const noexcept { return lowest_; }
  std::size_t taken() const noexcept { return taken_; }
  bool over() const noexcept { return taken_ == length_; }
  void begin_again() noexcept { taken_ = 0; }
  std::size_t length() const noexcept { return length_; }
  /// Of neighbouring values that rise.
  double ratio() const noexcept { return std::pow(10.0, pace_); }

  /// @param most values that a pass may have
  template <class Archive>
  void fields(Archive& a, std::size_t most) {
    constexpr double smallest = std::numeric_limits<double>::min(), largest = std::numeric_limits<double>::max();
    a.below(length_, most + 1).below(held_, most + 1).below(taken_, length_ + 1);
    if (length_ == 0) return;
    if (length_ < held_ + 2) a.refuse("holds a pass of too few values");
    a.between(lowest_, smallest, largest).between(highest_, lowest_, largest);
    a.between(last_, taken_ > 0 ? lowest_ : 0.0, highest_).between(before_last_, 0.0, highest_);
    *this = sweep_pass(lowest_, highest_, length_, held_, taken_, last_, before_last_);
  }

 private:
  double lowest_ = 0.0;
  double highest_ = 0.0;
  std::size_t length_ = 0;
  std::size_t held_ = 0;
  std::size_t taken_ = 0;
  double last_ = 0.0;
  double before_last_ = 0.0;
  double pace_ = 0.0;  // decades from one value to the next
};

}  // namespace autotunenet
