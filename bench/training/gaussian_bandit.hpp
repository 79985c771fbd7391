#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "normal.hpp"

namespace training {

/// Arms are evenly spaced points of [0, 1]; rewards correlate by a squared exponential of length scale 0.2.
constexpr std::size_t arms = 50;

/// f[t+1] = sqrt(1 - drift) f[t] + sqrt(drift) g, with f and each g drawn from the same Gaussian process (Bogunovic,
/// Scarlett and Cevher 2016, equation 2).
class drifting_reward {
 public:
  drifting_reward(double drift, std::uint64_t seed);

  void drift();
  double at(std::size_t arm) const { return value_[arm]; }
  double best() const;

 private:
  std::array<double, arms> sample();

  double drift_;
  normal_stream noise_;
  std::vector<double> root_;  ///< Cholesky factor of the covariance, row by row
  std::array<double, arms> value_;
};

/// TV-GP-UCB (the same paper, section 4): upper confidence bounds of a Gaussian process in which observations lose
/// weight by (1 - forgetting)^(age / 2); with 0 it is GP-UCB (Srinivas et al. 2010), which never forgets. Kernel and
/// noise are known to it.
class time_varying_ucb {
 public:
  explicit time_varying_ucb(double forgetting) : forgetting_(forgetting) {}

  std::size_t choose() const;
  void tell(std::size_t arm, double reward);

 private:
  std::vector<double> solve(std::vector<double> right) const;  ///< lower-triangular

  double forgetting_;
  std::vector<std::size_t> arm_;
  std::vector<double> whitened_;             ///< L^-1 y
  std::vector<std::vector<double>> factor_;  ///< rows of L; one more with each observation
};

}  // namespace training
