#pragma once
#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>

namespace support {

/// Random numbers for tests, the same everywhere.
struct noise {
  std::mt19937_64 engine;

  explicit noise(std::uint64_t seed) : engine(seed) {}
  double uniform() { return static_cast<double>(engine() >> 11) * 0x1p-53; }
  double normal() {
    double const radius = std::sqrt(-2.0 * std::log1p(-uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }
};

}  // namespace support
