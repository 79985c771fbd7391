#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>

namespace training {

/// Random numbers that are the same with every standard library.
class normal_stream {
 public:
  explicit normal_stream(std::uint64_t seed) : engine_(seed) {}

  /// In [0, 1).
  double uniform() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
  /// Standard normal (Box and Muller).
  double next() {
    double const u = 1.0 - uniform(), v = uniform();
    return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace training
