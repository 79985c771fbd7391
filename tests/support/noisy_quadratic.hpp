#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <random>

namespace support {

/// Gradient descent on a noisy quadratic, the smallest thing that behaves like training: rates above 2 diverge, low
/// rates crawl, and the noise keeps the loss from vanishing.
class noisy_quadratic {
 public:
  static constexpr std::size_t dimensions = 20;
  using weights = std::array<double, dimensions>;

  explicit noisy_quadratic(std::uint64_t seed, double noise = 0.3) : engine_(seed), noise_(noise) {
    weights_.fill(3.0);
  }

  /// One step; returns the loss before it, as training loops report it.
  double step(double rate) {
    double loss = noise_ * gauss();
    for (std::size_t i = 0; i < dimensions; ++i) {
      double const curvature = 1.0 / static_cast<double>(i + 1);
      loss += 0.5 * curvature * weights_[i] * weights_[i];
      weights_[i] -= rate * (curvature * weights_[i] + noise_ * gauss());
    }
    return loss;
  }
  double loss() const {
    double sum = 0.0;
    for (std::size_t i = 0; i < dimensions; ++i) sum += 0.5 * weights_[i] * weights_[i] / static_cast<double>(i + 1);
    return sum;
  }
  weights const& state() const { return weights_; }
  void restore(weights const& saved) { weights_ = saved; }

 private:
  double gauss() { return normal_(engine_); }

  std::mt19937_64 engine_;
  std::normal_distribution<double> normal_;
  double noise_;
  weights weights_{};
};

}  // namespace support
