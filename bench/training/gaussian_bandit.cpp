#include "gaussian_bandit.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace training {

namespace {

constexpr double noise_variance = 0.01;

double correlation(std::size_t a, std::size_t b) {
  double const distance = (static_cast<double>(a) - static_cast<double>(b)) / static_cast<double>(arms - 1) / 0.2;
  return std::exp(-0.5 * distance * distance);
}

}  // namespace

drifting_reward::drifting_reward(double drift, std::uint64_t seed) : drift_(drift), noise_(seed), root_(arms * arms) {
  for (std::size_t i = 0; i < arms; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      // A little on the diagonal: so smooth a kernel is singular to rounding.
      double sum = correlation(i, j) + (i == j ? 1e-6 : 0.0);
      for (std::size_t k = 0; k < j; ++k) sum -= root_[i * arms + k] * root_[j * arms + k];
      root_[i * arms + j] = i == j ? std::sqrt(std::max(sum, 1e-12)) : sum / root_[j * arms + j];
    }
  value_ = sample();
}

std::array<double, arms> drifting_reward::sample() {
  std::array<double, arms> white, f{};
  for (double& w : white) w = noise_.next();
  for (std::size_t i = 0; i < arms; ++i)
    for (std::size_t j = 0; j <= i; ++j) f[i] += root_[i * arms + j] * white[j];
  return f;
}

void drifting_reward::drift() {
  auto const fresh = sample();
  for (std::size_t i = 0; i < arms; ++i) value_[i] = std::sqrt(1.0 - drift_) * value_[i] + std::sqrt(drift_) * fresh[i];
}

double drifting_reward::best() const { return *std::ranges::max_element(value_); }

std::vector<double> time_varying_ucb::solve(std::vector<double> right) const {
  for (std::size_t i = 0; i < right.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) right[i] -= factor_[i][k] * right[k];
    right[i] /= factor_[i][i];
  }
  return right;
}

std::size_t time_varying_ucb::choose() const {
  std::size_t const n = arm_.size();
  // The width that the paper's experiments use.
  double const width = std::sqrt(0.8 * std::log(4.0 * static_cast<double>(n + 1)));
  std::size_t best = arms / 2;
  double highest = -1e300;
  std::vector<double> cross(n);
  for (std::size_t a = 0; a < arms; ++a) {
    for (std::size_t i = 0; i < n; ++i)
      cross[i] = correlation(a, arm_[i]) * std::pow(1.0 - forgetting_, 0.5 * static_cast<double>(n - i));
    auto const v = solve(cross);
    double mean = 0.0, variance = 1.0;
    for (std::size_t i = 0; i < n; ++i) {
      mean += v[i] * whitened_[i];
      variance -= v[i] * v[i];
    }
    double const bound = mean + width * std::sqrt(std::max(variance, 0.0));
    if (bound > highest) {
      highest = bound;
      best = a;
    }
  }
  return best;
}

void time_varying_ucb::tell(std::size_t arm, double reward) {
  std::size_t const n = arm_.size();
  std::vector<double> cross(n);
  for (std::size_t i = 0; i < n; ++i)
    cross[i] = correlation(arm, arm_[i]) * std::pow(1.0 - forgetting_, 0.5 * static_cast<double>(n - i));
  auto row = solve(std::move(cross));
  double rest = 1.0 + noise_variance, value = reward;
  for (std::size_t i = 0; i < n; ++i) {
    rest -= row[i] * row[i];
    value -= row[i] * whitened_[i];
  }
  row.push_back(std::sqrt(std::max(rest, 1e-9)));
  whitened_.push_back(value / row.back());
  factor_.push_back(std::move(row));
  arm_.push_back(arm);
}

}  // namespace training
