#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>

namespace support {

/// Random numbers that are the same bits on every machine (splitmix64).
class random_stream {
 public:
  explicit random_stream(std::uint64_t seed) : state_(seed) {}

  std::uint64_t bits() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  /// In [0, 1).
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  double between(double low, double high) { return low + (high - low) * uniform(); }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(bits() % n); }
  bool chance(double probability) { return uniform() < probability; }
  double gauss() {
    double const radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }

 private:
  std::uint64_t state_;
};

/// Metric sequences of all the kinds that a training run can come up with, one kind for some dozens of steps at a time.
class random_metrics {
 public:
  explicit random_metrics(std::uint64_t seed) : random_(seed) {}

  double next() {
    if (left_ == 0) {
      kind_ = random_.below(10);
      left_ = 5 + random_.below(60);
      level_ = random_.between(-3.0, 3.0);
    }
    --left_;
    constexpr double infinity = std::numeric_limits<double>::infinity();
    switch (kind_) {
      case 0:
        return level_ -= 0.02;  // good
      case 1:
        return (level_ -= 0.01) + 0.3 * random_.gauss();  // noisy
      case 2:
        return level_;  // constant
      case 3:
        return level_ += 0.2 * random_.uniform();  // getting worse
      case 4:
        return random_.chance(0.3) ? std::numeric_limits<double>::quiet_NaN() : level_;
      case 5:
        return random_.chance(0.2) ? (random_.chance(0.5) ? infinity : -infinity) : level_ + random_.gauss();
      case 6:
        return random_.between(-1.0, 1.0) * std::numeric_limits<double>::max();  // huge
      case 7:
        return random_.between(-1.0, 1.0) * 0x1p-1060;  // denormal
      case 8:
        return level_ *= random_.between(-1.7, 1.9);  // exploding, of either sign
      default:
        return random_.chance(0.1) ? 1e12 * random_.gauss() : level_ + 0.1 * random_.gauss();  // outliers
    }
  }

 private:
  random_stream random_;
  std::size_t kind_ = 0;
  std::size_t left_ = 0;
  double level_ = 0.0;
};

}  // namespace support
