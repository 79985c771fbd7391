#pragma once
#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <cmath>
#include <numbers>
#include <random>

/// What one suggestion costs the usual way, as a yardstick: append a row to the Cholesky factor, solve for the mean's
/// weights, and judge a cloud of random candidates by posterior and expected improvement. No hyperparameters are
/// learned.
class composite {
 public:
  composite(Eigen::Index n, Eigen::Index d, Eigen::Index candidates)
      : n_(n),
        x_(n, d),
        y_(n),
        factor_(n, n),
        row_(n),
        alpha_(n),
        cloud_(candidates, d),
        cross_(n, candidates),
        mean_(candidates),
        variance_(candidates) {
    std::mt19937_64 random(1);
    std::uniform_real_distribution<double> uniform;
    for (double& value : x_.reshaped()) value = uniform(random);
    for (double& value : y_) value = uniform(random);
    for (double& value : cloud_.reshaped()) value = uniform(random);
    Eigen::MatrixXd covariance(n, n);
    for (Eigen::Index i = 0; i < n; ++i) {
      kernel(x_.row(i), x_, covariance.col(i));
      covariance(i, i) += noise;
    }
    factor_ = covariance.llt().matrixL();
  }

  /// The best candidate's expected improvement.
  double step() {
    Eigen::Index const last = n_ - 1;
    kernel(x_.row(last), x_, row_);
    auto before = row_.head(last);
    factor_.topLeftCorner(last, last).triangularView<Eigen::Lower>().solveInPlace(before);
    factor_.row(last).head(last) = before.transpose();
    factor_(last, last) = std::sqrt(1.0 + noise - before.squaredNorm());

    alpha_ = y_;
    factor_.triangularView<Eigen::Lower>().solveInPlace(alpha_);
    factor_.triangularView<Eigen::Lower>().adjoint().solveInPlace(alpha_);

    for (Eigen::Index c = 0; c < cloud_.rows(); ++c) kernel(cloud_.row(c), x_, cross_.col(c));
    mean_.noalias() = cross_.transpose() * alpha_;
    factor_.triangularView<Eigen::Lower>().solveInPlace(cross_);
    variance_ = 1.0 - cross_.colwise().squaredNorm().transpose().array();
    double const incumbent = y_.maxCoeff();
    double best = 0.0;
    for (Eigen::Index c = 0; c < cloud_.rows(); ++c) {
      double const deviation = std::sqrt(std::max(variance_[c], 1e-12));
      double const z = (mean_[c] - incumbent) / deviation;
      double const density = std::exp(-0.5 * z * z) / std::sqrt(2.0 * std::numbers::pi);
      best = std::max(best, deviation * (z * 0.5 * std::erfc(-z / std::numbers::sqrt2) + density));
    }
    return best;
  }

 private:
  static constexpr double noise = 0.01;
  static constexpr double length = 0.5;

  /// Matern 5/2 between one point and all.
  template <class Point, class Points, class Out>
  void kernel(Point const& at, Points const& all, Out&& out) {
    distance_.setZero(all.rows());
    for (Eigen::Index k = 0; k < all.cols(); ++k) distance_ += ((all.col(k).array() - at[k]) / length).square();
    distance_ = (5.0 * distance_).sqrt();
    out = ((1.0 + distance_ + distance_.square() / 3.0) * (-distance_).exp()).matrix();
  }

  Eigen::Index n_;
  Eigen::MatrixXd x_;
  Eigen::VectorXd y_;
  Eigen::MatrixXd factor_;
  Eigen::VectorXd row_;
  Eigen::VectorXd alpha_;
  Eigen::MatrixXd cloud_;
  Eigen::MatrixXd cross_;
  Eigen::VectorXd mean_;
  Eigen::ArrayXd variance_;
  Eigen::ArrayXd distance_;
};
