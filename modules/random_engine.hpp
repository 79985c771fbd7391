#pragma once
#include <cmath>
#include <cstdint>
#include <numbers>

namespace autotunenet::detail {

/// SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators"): one word of state, and
/// the same bits everywhere, which the standard library's distributions do not promise.
struct random_engine {
  std::uint64_t state = 0;

  template <class Archive>
  void fields(Archive& a) {
    a(state);
  }
  std::uint64_t bits() noexcept {
    std::uint64_t z = (state += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  /// In [0, 1).
  double uniform() noexcept { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  /// Of mean 0 and variance 1 (Box and Muller 1958).
  double normal() noexcept {
    double const radius = std::sqrt(-2.0 * std::log1p(-uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }
  /// Below `count`, which is far below 2^53.
  std::uint64_t below(std::uint64_t count) noexcept {
    return static_cast<std::uint64_t>(uniform() * static_cast<double>(count));
  }
};

}  // namespace autotunenet::detail
