#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace training {

/// The noisy quadratic model (Wu et al. 2018, "Understanding short-horizon bias in stochastic meta-optimization",
/// section 2): curvatures h = 1/i in d dimensions, gradients h (x - c) with c of mean 0 and variance 1/h, E[x^2] = 100
/// at first. What is expected of gradient descent has a closed form: per dimension,
/// E[x^2] <- (1 - lr h)^2 E[x^2] + lr^2 h.
class quadratic {
 public:
  explicit quadratic(std::size_t dimensions = 100);

  void step(double lr);
  /// The expected excess loss: sum of h E[x^2] / 2.
  double loss() const;
  /// The rate that makes the next step's expected loss least.
  double greedy() const;

 private:
  friend std::vector<double> near_optimal_rates(std::size_t, std::size_t);

  std::vector<double> curvature_;
  std::vector<double> second_moment_;
};

/// The expected loss at the end of a run with these rates.
double final_loss(std::span<double const> rates);

std::vector<double> greedy_rates(std::size_t steps);
/// The best among constants, and among cosines that fall to 0, over a fine grid.
std::vector<double> best_constant_rates(std::size_t steps);
std::vector<double> best_cosine_rates(std::size_t steps);
/// Every step's rate descends along the exact derivative of the final loss for so many rounds, from the best cosine.
std::vector<double> near_optimal_rates(std::size_t steps, std::size_t rounds = 2000);

}  // namespace training
