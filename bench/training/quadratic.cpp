#include "quadratic.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "schedules.hpp"

namespace training {

quadratic::quadratic(std::size_t dimensions) : curvature_(dimensions), second_moment_(dimensions, 100.0) {
  for (std::size_t i = 0; i < dimensions; ++i) curvature_[i] = 1.0 / static_cast<double>(i + 1);
}

void quadratic::step(double lr) {
  for (std::size_t i = 0; i < curvature_.size(); ++i) {
    double const h = curvature_[i], keep = 1.0 - lr * h;
    second_moment_[i] = keep * keep * second_moment_[i] + lr * lr * h;
  }
}

double quadratic::loss() const {
  double sum = 0.0;
  for (std::size_t i = 0; i < curvature_.size(); ++i) sum += 0.5 * curvature_[i] * second_moment_[i];
  return sum;
}

double quadratic::greedy() const {
  double along = 0.0, across = 0.0;
  for (std::size_t i = 0; i < curvature_.size(); ++i) {
    double const h = curvature_[i];
    along += h * h * second_moment_[i];
    across += h * h * h * second_moment_[i] + h * h;
  }
  return along / across;
}

double final_loss(std::span<double const> rates) {
  quadratic model;
  for (double const lr : rates) model.step(lr);
  return model.loss();
}

std::vector<double> greedy_rates(std::size_t steps) {
  quadratic model;
  std::vector<double> rates(steps);
  for (double& lr : rates) {
    lr = model.greedy();
    model.step(lr);
  }
  return rates;
}

namespace {

template <class Shape>
std::vector<double> best_peak(std::size_t steps, Shape shape) {
  std::vector<double> best, rates(steps);
  double least = std::numeric_limits<double>::infinity();
  for (double exponent = -3.0; exponent <= 1.0; exponent += 0.02) {
    for (std::size_t t = 0; t < steps; ++t)
      rates[t] = std::pow(10.0, exponent) * shape(static_cast<double>(t) / static_cast<double>(steps));
    double const loss = final_loss(rates);
    if (!(loss < least)) continue;
    least = loss;
    best = rates;
  }
  return best;
}

}  // namespace

std::vector<double> best_constant_rates(std::size_t steps) {
  return best_peak(steps, [](double) { return 1.0; });
}

std::vector<double> best_cosine_rates(std::size_t steps) { return best_peak(steps, cosine_shape); }

// Descends on the logarithm of each rate by Adam, along derivatives carried backwards through the recursion.
std::vector<double> near_optimal_rates(std::size_t steps, std::size_t rounds) {
  quadratic const start;
  std::size_t const d = start.curvature_.size();
  std::vector<double> rates = best_cosine_rates(steps), mean(steps), square(steps), path(steps * d);
  for (double& lr : rates) lr = std::max(lr, 1e-4);
  std::vector<double> best = rates;
  double least = final_loss(rates);
  for (std::size_t round = 1; round <= rounds; ++round) {
    quadratic model;
    for (std::size_t t = 0; t < steps; ++t) {
      std::copy(model.second_moment_.begin(), model.second_moment_.end(),
                path.begin() + static_cast<std::ptrdiff_t>(t * d));
      model.step(rates[t]);
    }
    if (double const loss = model.loss(); loss < least) {
      least = loss;
      best = rates;
    }
    std::vector<double> sensitivity(d);
    for (std::size_t i = 0; i < d; ++i) sensitivity[i] = 0.5 * start.curvature_[i];
    double const progress = static_cast<double>(round) / static_cast<double>(rounds);
    double const speed = 0.03 * cosine_shape(progress);
    for (std::size_t t = steps; t-- > 0;) {
      double slope = 0.0;
      for (std::size_t i = 0; i < d; ++i) {
        double const h = start.curvature_[i], keep = 1.0 - rates[t] * h;
        slope += sensitivity[i] * (-2.0 * h * keep * path[t * d + i] + 2.0 * rates[t] * h);
        sensitivity[i] *= keep * keep;
      }
      slope *= rates[t];
      mean[t] = 0.9 * mean[t] + 0.1 * slope;
      square[t] = 0.99 * square[t] + 0.01 * slope * slope;
      double const power = static_cast<double>(round);
      double const corrected = mean[t] / (1.0 - std::pow(0.9, power));
      rates[t] *= std::exp(-speed * corrected / (std::sqrt(square[t] / (1.0 - std::pow(0.99, power))) + 1e-12));
    }
  }
  return best;
}

}  // namespace training
