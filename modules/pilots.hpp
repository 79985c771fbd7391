#pragma once
#include <cstddef>
#include <cstdint>

namespace autotunenet {

/// A run at one value, compared with pilots at others: a lower one from the same state, for as many steps; a higher one
/// from where the run is. Falls are how far the recent metric is below the level at the start; `unit` is one to measure
/// differences by.
class pilots {
 public:
  enum class verdict : std::uint8_t { open, better, worse };

  /// @param length metrics of a pilot; of fewer than can be told from their noise there are none
  explicit pilots(std::size_t length) noexcept : length_(length < least ? 0 : length) {}

  /// Metrics of a pilot; 0: none, or no more.
  std::size_t length() const noexcept { return length_; }
  void end() noexcept { length_ = 0; }

  /// The run has fallen so far by so many steps.
  void follow(double steps, double fall) noexcept {
    if (2.0 * steps <= static_cast<double>(length_)) half_fall_ = fall;
  }
  /// The next pilots are compared with this one: where the run is, or what a pilot has come to.
  void compare_with(double value, double fall) noexcept;
  void begin(double value) noexcept;
  /// A metric of the pilot; `failed` where there is none to go by.
  verdict add(double fall, bool failed, double unit) noexcept;
  /// Whether what was compared with still is the better one, when a pilot that was better has gone on.
  bool regretted(double fall, double unit) const noexcept;

  double value() const noexcept { return value_; }
  double compared_value() const noexcept { return compared_value_; }
  double compared_fall() const noexcept { return compared_fall_; }
  bool rises() const noexcept { return value_ > compared_value_; }

  template <class Archive>
  void fields(Archive& a) {
    a(length_)(taken_)(value_)(half_fall_)(reached_by_half_)(compared_value_)(compared_fall_);
  }

 private:
  static constexpr std::size_t least = 16;

  std::size_t length_;
  std::size_t taken_ = 0;
  double value_ = 0.0;
  double half_fall_ = 0.0;        // of what is compared with, after half of a pilot's length
  double reached_by_half_ = 0.0;  // of the pilot
  double compared_value_ = 0.0;
  double compared_fall_ = 0.0;
};

}  // namespace autotunenet
