#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "search.hpp"

namespace peers {

namespace {

/// The loop of limbo (Cully et al. 2018) with its usual parts: a Gaussian process with fixed hyperparameters whose
/// factor grows by a row, and an upper confidence bound that a search without derivatives evaluates 500 times, one
/// point after the other. The points are drawn at random, where limbo divides rectangles.
class limbo_loop : public search {
 public:
  limbo_loop(std::size_t d, std::uint64_t seed, std::span<known_point const> known)
      : random_(seed), x_(d), best_(d), capacity_(known.size() + 1024) {
    points_.resize(capacity_, static_cast<Eigen::Index>(d));
    values_.resize(capacity_);
    factor_.setZero(capacity_, capacity_);
    for (known_point const& one : known) {
      best_ = one.x;
      add(one.y);
    }
  }

  std::span<double const> ask() override {
    auto const lower = factor_.topLeftCorner(n_, n_).triangularView<Eigen::Lower>();
    alpha_ = -values_.head(n_);
    lower.solveInPlace(alpha_);
    lower.adjoint().solveInPlace(alpha_);
    double most = -1e300;
    for (int k = 0; k < 500; ++k) {
      for (double& value : x_) value = uniform_(random_);
      covariances(x_);
      double const mean = row_.dot(alpha_);
      lower.solveInPlace(row_);
      double const bound = mean + 0.5 * std::sqrt(std::max(1.0 - row_.squaredNorm(), 0.0));
      if (bound <= most) continue;
      most = bound;
      best_ = x_;
    }
    return best_;
  }
  void tell(double y) override { add(y); }

 private:
  void covariances(std::vector<double> const& at) {
    distance_.setZero(n_);
    for (std::size_t k = 0; k < at.size(); ++k) {
      distance_ += ((points_.col(static_cast<Eigen::Index>(k)).head(n_).array() - at[k]) / 0.5).square();
    }
    distance_ = (5.0 * distance_).sqrt();
    row_ = ((1.0 + distance_ + distance_.square() / 3.0) * (-distance_).exp()).matrix();
  }
  void add(double y) {
    if (n_ == capacity_) return;
    covariances(best_);
    factor_.topLeftCorner(n_, n_).triangularView<Eigen::Lower>().solveInPlace(row_);
    factor_.row(n_).head(n_) = row_.transpose();
    factor_(n_, n_) = std::sqrt(std::max(1.01 - row_.squaredNorm(), 1e-6));
    for (std::size_t k = 0; k < best_.size(); ++k) points_(n_, static_cast<Eigen::Index>(k)) = best_[k];
    values_[n_++] = y;
  }

  std::mt19937_64 random_;
  std::uniform_real_distribution<double> uniform_;
  std::vector<double> x_, best_;
  Eigen::Index capacity_;
  Eigen::Index n_ = 0;
  Eigen::MatrixXd points_, factor_;
  Eigen::VectorXd values_, alpha_, row_;
  Eigen::ArrayXd distance_;
};

}  // namespace

peer limbo_like() {
  return {"limbo-like loop",
          [](std::size_t d, std::uint64_t seed, std::span<known_point const> known) -> std::unique_ptr<search> {
            return std::make_unique<limbo_loop>(d, seed, known);
          },
          ""};
}

}  // namespace peers
