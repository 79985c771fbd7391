#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "random_engine.hpp"

namespace autotunenet::detail {

/// Points that cover the unit cube evenly however many are drawn: the additive recurrence of the generalised golden
/// ratio (Roberts 2018), shifted by a seed. The position is held in 64-bit fixed point, so that the billionth point is
/// as exact as the first.
class golden_sequence {
 public:
  golden_sequence(std::size_t dimensions, std::uint64_t seed) : step_(dimensions), position_(dimensions) {
    double const power = 1.0 / static_cast<double>(dimensions + 1);
    double ratio = 2.0;  // becomes the root of x^(d+1) = x + 1
    for (int i = 0; i < 64; ++i) ratio = std::pow(1.0 + ratio, power);
    random_engine shift{seed};
    double alpha = 1.0;
    for (std::size_t k = 0; k < dimensions; ++k) {
      alpha /= ratio;
      step_[k] = static_cast<std::uint64_t>(std::ldexp(alpha, 64));
      position_[k] = shift.bits();
    }
  }
  void next(std::span<double> point) noexcept {
    for (std::size_t k = 0; k < step_.size(); ++k) {
      position_[k] += step_[k];
      point[k] = static_cast<double>(position_[k] >> 11) * 0x1p-53;
    }
  }

  template <class Archive>
  void fields(Archive& a) {
    a.same_size(position_);
  }

 private:
  std::vector<std::uint64_t> step_;
  std::vector<std::uint64_t> position_;
};

}  // namespace autotunenet::detail
