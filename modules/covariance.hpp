#pragma once
#include <cmath>
#include <numbers>

#include "own_eigen.hpp"
#include "sliding_factor.hpp"

namespace autotunenet::detail {

/// The points of a window, one column per dimension, so that each dimension is read in one run. Rows `first` to
/// `first + size` are in use, in step with a `sliding_factor`.
struct window_points {
  matrix x;
  matrix step;
  vector time;
  vector value;
  vector noise;    // variance
  vector metrics;  // how many make up the value
  vector shared;   // variance shared with the row before; below 0: they share nothing
  vector added;    // jitter

  window_points(index rows, index dimensions)
      : x(rows, dimensions),
        step(rows, dimensions),
        time(rows),
        value(rows),
        noise(rows),
        metrics(rows),
        shared(rows),
        added(rows) {}
  template <class Archive>
  void fields(Archive& a, index first, index size) {
    for (index d = 0; d < x.cols(); ++d) {
      exchange(a, x.col(d).segment(first, size));
      exchange(a, step.col(d).segment(first, size));
    }
    for (vector* one : {&time, &value, &noise, &metrics, &shared, &added}) exchange(a, one->segment(first, size));
  }
  void copy_row(index from, index to) {
    x.row(to) = x.row(from);
    step.row(to) = step.row(from);
    time[to] = time[from];
    value[to] = value[from];
    noise[to] = noise[from];
    metrics[to] = metrics[from];
    shared[to] = shared[from];
    added[to] = added[from];
  }
};

/// The covariance of what a configuration is worth: constant^2 + signal^2 * Matern 5/2 * Hamming * forgetting.
///
/// What is learned are logarithms, in this order: the standard deviations of signal, noise, metric and step, the
/// half-life, then one length per dimension.
struct covariance {
  static constexpr index half_life = 4;
  static constexpr index lengths = 5;
  static index count(index dimensions) { return lengths + dimensions; }

  double constant = 1.0;  // variances
  double signal = 1.0;
  double noise = 1.0;
  double metric = 0.0;
  double step = 0.0;
  double decay = 0.0;  // per unit of time
  vector inverse_length;
  Eigen::Array<bool, Eigen::Dynamic, 1> categorical;

  /// Covariance of the point `x` (stride between its dimensions) at `time` with `n` points from row `first`. The slope
  /// is what the gradient is made of: dk/dx_k = -slope * (x_k - X_k) / length_k^2 for every numeric k.
  void evaluate(window_points const& points, index first, index n, double const* x, index stride, double time,
                double* k, double* slope, double* work) const {
    using array = Eigen::Map<Eigen::ArrayXd>;
    array distance(work, n);
    array kernel(k, n);
    array gradient(slope, n);
    distance.setZero();
    kernel = -decay * (points.time.segment(first, n).array() - time).abs();
    for (index d = 0; d < inverse_length.size(); ++d) {
      auto const column = points.x.col(d).segment(first, n).array();
      double const at = x[d * stride];
      double const inverse = inverse_length[d];
      if (categorical[d]) {
        for (index i = 0; i < n; ++i) k[i] -= column[i] == at ? 0.0 : inverse;
      } else {
        distance += (inverse * (column - at)).square();
      }
    }
    distance = (5.0 * distance).sqrt();
    kernel = signal * (kernel - distance).exp();
    gradient = (5.0 / 3.0) * kernel * (1.0 + distance);
    kernel = constant + kernel * (1.0 + distance + distance.square() / 3.0);
  }

  double variance() const { return constant + signal; }
};

/// Makes the latent covariance of a row with `n` points from row `first`, in `k`, that of observations: adds what the
/// steps between configurations did at once, and the noise that neighbours share. Row `row` is the newest, or in the
/// range.
inline void add_observation(covariance const& prior, window_points const& points, index first, index n, index row,
                            double* k) {
  Eigen::Map<vector> kernel(k, n);
  for (index d = 0; d < points.step.cols(); ++d) {
    double const weight = prior.step * points.step(row, d);
    if (weight != 0.0) kernel += weight * points.step.col(d).segment(first, n);
  }
  index const before = row - 1 - first;
  if (before >= 0 && before < n && points.shared[row] >= 0.0) k[before] -= prior.metric + points.shared[row];
  index const after = row + 1 - first;
  if (after >= 0 && after < n && points.shared[row + 1] >= 0.0) k[after] -= prior.metric + points.shared[row + 1];
}

/// The noise on the diagonal.
inline double own_noise(covariance const& prior, window_points const& points, index row) {
  return prior.noise + points.noise[row] + prior.metric * points.metrics[row];
}

}  // namespace autotunenet::detail
