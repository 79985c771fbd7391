#pragma once
#include <cstddef>

namespace autotunenet {

/// Whether something else sets a value too that a trial suggests, as a schedule of the training loop's own: metrics say
/// nothing of the trial's values then.
class override_check {
 public:
  /// Values in a row that do not run by chance.
  static constexpr std::size_t by_chance = 2;

  /// The value that ran where one was wanted, which NaN leaves open. True where more than `excused` in a row, the last
  /// ones, did not run.
  bool overridden(double wanted, double ran, std::size_t excused = by_chance) noexcept {
    constexpr double apart = 1.01;
    not_followed_ = ran > apart * wanted || wanted > apart * ran ? not_followed_ + 1 : 0;
    return not_followed_ > excused;
  }
  /// Whether the last value ran.
  bool followed() const noexcept { return not_followed_ == 0; }

  template <class Archive>
  void fields(Archive& a) {
    a(not_followed_);
  }

 private:
  std::size_t not_followed_ = 0;  // in a row, the last ones
};

}  // namespace autotunenet
