#pragma once
#include <algorithm>
#include <cmath>
#include <numbers>

#include "covariance.hpp"
#include "own_eigen.hpp"
#include "sliding_factor.hpp"

namespace autotunenet::detail {

/// The log marginal likelihood of a bounded subset of a window, with buffers of its own.
class marginal_likelihood {
 public:
  marginal_likelihood(index subset, index dimensions, bool learn_half_life)
      : factor_(subset, 0),
        slope_(subset, subset),
        inverse_(subset, subset),
        work_(3, subset),
        alpha_(subset),
        dimensions_(dimensions),
        learn_half_life_(learn_half_life) {}

  /// Of `n` points from row `first`. `gradient`, unless null, takes covariance::count(dimensions) values.
  double operator()(covariance const& prior, window_points const& points, index first, index n, double* gradient) {
    fill(prior, points, first, n);
    factor_.factorise(work_.data());
    auto alpha = alpha_.head(n);
    alpha = points.value.segment(first, n);
    factor_.solve_lower(alpha);
    double const fit = alpha.squaredNorm();
    double const volume = factor_.lower().diagonal().array().log().sum();
    double const value = -0.5 * fit - volume - 0.5 * static_cast<double>(n) * std::log(2.0 * std::numbers::pi);
    if (gradient == nullptr) return value;
    factor_.solve_upper(alpha);
    invert(n);
    differentiate(prior, points, first, n, gradient);
    return value;
  }

 private:
  void fill(covariance const& prior, window_points const& points, index first, index n) {
    factor_.clear();
    factor_.resize(n);
    auto k = factor_.lower();
    for (index j = 0; j < n; ++j) {
      double* const column = &k(j, j);
      prior.evaluate(points, first + j, n - j, &points.x(first + j, 0), points.x.outerStride(), points.time[first + j],
                     column, &slope_(j, j), work_.data());
      add_observation(prior, points, first + j, n - j, first + j, column);
      k(j, j) += own_noise(prior, points, first + j);
    }
  }

  /// The lower triangle of the inverse covariance, L^-T L^-1.
  void invert(index n) {
    auto inverse = inverse_.topLeftCorner(n, n);
    inverse.setZero();
    for (index j = 0; j < n; ++j) {
      index const rest = n - j;
      auto column = inverse.col(j).tail(rest);
      column[0] = 1.0;
      factor_.solve_lower(column, j);
    }
    for (index j = 0; j < n; ++j) {
      for (index i = j; i < n; ++i) {
        inverse(i, j) = inverse.col(i).tail(n - i).dot(inverse.col(j).tail(n - i));
      }
    }
  }

  /// dL/dtheta = 1/2 sum_ij (alpha_i alpha_j - K^-1_ij) dK_ij/dtheta; off the diagonal each pair counts twice.
  void differentiate(covariance const& prior, window_points const& points, index first, index n, double* gradient) {
    std::fill_n(gradient, covariance::count(dimensions_), 0.0);
    for (index j = 0; j < n; ++j) {
      index const below = n - j - 1;
      double const own = alpha_[j] * alpha_[j] - inverse_(j, j);
      double const step = points.step.row(first + j).squaredNorm();
      gradient[0] += own * prior.signal;
      gradient[1] += own * prior.noise;
      gradient[2] += own * prior.metric * points.metrics[first + j];
      gradient[3] += own * prior.step * step;
      if (below == 0) continue;
      index const from = first + j + 1;
      auto weight = Eigen::Map<Eigen::ArrayXd>(work_.data(), below);
      auto term = Eigen::Map<Eigen::ArrayXd>(work_.data() + work_.rows() * work_.cols() / 3, below);
      weight = alpha_[j] * alpha_.segment(j + 1, below).array() - inverse_.col(j).segment(j + 1, below).array();
      if (points.shared[from] >= 0.0) gradient[2] -= 2.0 * weight[0] * prior.metric;
      for (index d = 0; d < dimensions_; ++d) {
        gradient[3] += 2.0 * prior.step * points.step(first + j, d) *
                       (weight * points.step.col(d).segment(from, below).array()).sum();
      }
      pair_terms(prior, points, j, first, below, weight, term, gradient);
    }
  }

  template <class Weight, class Term>
  void pair_terms(covariance const& prior, window_points const& points, index j, index first, index below,
                  Weight& weight, Term& term, double* gradient) {
    index const from = first + j + 1;
    // What the signal's part of the covariance was: the constant, the steps and the factorisation have gone over it.
    auto const slope = slope_.col(j).segment(j + 1, below).array();
    auto kernel = Eigen::Map<Eigen::ArrayXd>(work_.data() + 2 * (work_.rows() * work_.cols() / 3), below);
    term.setZero();
    for (index d = 0; d < dimensions_; ++d) {
      if (prior.categorical[d]) continue;
      double const inverse = prior.inverse_length[d];
      term += (inverse * (points.x.col(d).segment(from, below).array() - points.x(first + j, d))).square();
    }
    term = (5.0 * term).sqrt();
    kernel = slope * weight * (0.6 * (1.0 + term + term.square() / 3.0) / (1.0 + term));
    gradient[0] += 2.0 * kernel.sum();
    if (learn_half_life_) {
      auto const apart = points.time.segment(from, below).array() - points.time[first + j];
      gradient[covariance::half_life] += prior.decay * (kernel * apart).sum();
    }
    weight *= slope;
    for (index d = 0; d < dimensions_; ++d) {
      auto const column = points.x.col(d).segment(from, below).array();
      double const at = points.x(first + j, d);
      double const inverse = prior.inverse_length[d];
      double sum = 0.0;
      if (prior.categorical[d]) {
        for (index i = 0; i < below; ++i) sum += column[i] == at ? 0.0 : inverse * kernel[i];
      } else {
        sum = (weight * (inverse * (column - at)).square()).sum();
      }
      gradient[covariance::lengths + d] += sum;
    }
  }

  sliding_factor factor_;
  matrix slope_;
  matrix inverse_;
  matrix work_;
  vector alpha_;
  index dimensions_;
  bool learn_half_life_;
};

}  // namespace autotunenet::detail
