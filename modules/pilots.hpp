#pragma once
#include <cstddef>
#include <cstdint>

namespace autotunenet {

/// A run at one value, compared with pilots at others: a lower one from the same state, for as many steps; a higher one
/// from where the run is. Falls are how far the recent metric is below the level at the start; `unit` is one to measure
/// differences by.
class pilots {
 public:
  enum class verdict : std::uint8_t {
    open,
    better,
    slower,  ///< a higher one that kept what there was, and did not go on as fast
    worse
  };

  /// @param length metrics of a pilot; of fewer than can be told from their noise there are none
  explicit pilots(std::size_t length) noexcept : length_(length < least ? 0 : length), due_(length_) {}

  /// Metrics of a pilot; 0: none, or no more.
  std::size_t length() const noexcept { return length_; }
  void end() noexcept { length_ = 0; }
  /// Whether the run has come to where the next one begins.
  bool due(double steps) const noexcept { return length_ > 0 && steps >= static_cast<double>(due_); }
  /// The next one begins when the run has come as far as the last one, and is compared with what the run did then.
  void put_off() noexcept {
    due_ += length_;
    taken_ = 0;
  }

  /// The run has fallen so far by so many steps.
  void follow(double steps, double fall) noexcept {
    if (2.0 * steps <= static_cast<double>(2 * due_ - length_)) half_fall_ = fall;
  }
  /// The next pilots are compared with this one: where the run is, or what a pilot has come to.
  void compare_with(double value, double fall) noexcept;
  void begin(double value) noexcept;
  /// A metric of the pilot; `failed` where there is none to go by.
  verdict add(double fall, bool failed, double unit) noexcept;
  /// Whether what was compared with still is the better one, when a pilot that was better has gone on.
  bool regretted(double fall, double unit) const noexcept { return !keeps_up(fall, compared_fall_, unit); }
  /// Whether a higher value's fall may be as good as the other one.
  static bool keeps_up(double higher_fall, double fall, double unit) noexcept;

  double value() const noexcept { return value_; }
  double compared_value() const noexcept { return compared_value_; }
  double compared_fall() const noexcept { return compared_fall_; }
  bool rises() const noexcept { return value_ > compared_value_; }
  /// Whether what the present one is compared with is a pilot, and not the run.
  bool further() const noexcept { return further_; }

  template <class Archive>
  void fields(Archive& a) {
    a(length_)(due_)(taken_)(value_)(half_fall_)(reached_by_half_);
    a(compared_value_)(compared_fall_)(best_fall_)(further_);
  }

 private:
  static constexpr std::size_t least = 16;

  std::size_t length_;
  std::size_t due_;  // in training steps of the run
  std::size_t taken_ = 0;
  double value_ = 0.0;
  double half_fall_ = 0.0;        // of what is compared with, half a pilot's length ago
  double reached_by_half_ = 0.0;  // of the pilot
  double compared_value_ = 0.0;
  double compared_fall_ = 0.0;
  double best_fall_ = 0.0;  // of all that they were compared with
  bool further_ = false;
};

}  // namespace autotunenet
