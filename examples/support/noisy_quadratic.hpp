#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

/// A stand-in for a network that trains in microseconds: f(x) = sum of h x^2 / 2 with curvatures h = 1, 1/2, 1/3, ...
/// seen through noisy gradients (Wu et al. 2018, "Understanding short-horizon bias", section 2). Gradient descent
/// diverges where the learning rate is above 2.
class noisy_quadratic {
 public:
  explicit noisy_quadratic(std::uint64_t seed, std::size_t dimensions = 100)
      : weights_(dimensions, 1.0), engine_(seed) {}

  /// One step of gradient descent; gives the loss before it.
  double step(double learning_rate) {
    double loss = 0.0;
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      double const curvature = 1.0 / static_cast<double>(i + 1);
      loss += 0.5 * curvature * weights_[i] * weights_[i];
      weights_[i] -= learning_rate * (curvature * weights_[i] + 0.1 * noise_(engine_));
    }
    return loss;
  }

 private:
  std::vector<double> weights_;
  std::mt19937_64 engine_;
  std::normal_distribution<double> noise_;
};
