#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include "own_eigen.hpp"
#include "triangular_solve.hpp"

namespace autotunenet::detail {

using index = Eigen::Index;
using vector = Eigen::VectorXd;
using matrix = Eigen::MatrixXd;

/// Finite values in archives, one by one.
template <class Archive, class Values>
void exchange(Archive& a, Values&& values) {
  constexpr double largest = std::numeric_limits<double>::max();
  for (index i = 0; i < values.size(); ++i) a.between(values[i], -largest, largest);
}

/// The lower Cholesky factor of a covariance matrix whose newest row comes in at the end and whose oldest leaves at the
/// front; both take O(n^2), and nothing is allocated after construction.
///
/// The factor lies on the diagonal of a somewhat larger matrix and creeps along it, so that dropping moves no memory;
/// points that belong to its rows are kept with the same `first()`.
class sliding_factor {
 public:
  explicit sliding_factor(index capacity, index slack)
      : l_(capacity + slack, capacity + slack), work_(capacity + slack) {
    l_.setZero();
  }

  index rows() const { return l_.rows(); }
  index first() const { return first_; }
  index size() const { return size_; }
  bool at_end() const { return first_ + size_ == rows(); }
  void clear() { first_ = size_ = 0; }

  /// The lower triangle, to be read, or to be filled with a covariance before `factorise`.
  auto lower() { return l_.block(first_, first_, size_, size_); }
  auto lower() const { return l_.block(first_, first_, size_, size_); }
  void resize(index size) { size_ = size; }

  /// Adds a row. `row` holds the covariances with the rows before (overwritten). Returns what had to be added to
  /// `diagonal`.
  double append(Eigen::Ref<vector> row, double diagonal) {
    solve_lower(row);
    double const added = jitter(diagonal - row.squaredNorm(), diagonal);
    index const at = first_ + size_;
    l_.row(at).segment(first_, size_) = row.transpose();
    l_(at, at) = std::sqrt(diagonal - row.squaredNorm() + added);
    ++size_;
    return added;
  }

  /// Removes the oldest row: the factor of what remains is an update of rank one, which only adds to the diagonal and
  /// so cannot break down (Golub and Van Loan 2013, section 6.5.4).
  void drop_first() {
    index const n = size_ - 1;
    auto v = work_.head(n);
    v = l_.col(first_).segment(first_ + 1, n);
    ++first_;
    size_ = n;
    for (index j = 0; j < n; ++j) {
      double& pivot = l_(first_ + j, first_ + j);
      double const r = std::sqrt(pivot * pivot + v[j] * v[j]);
      double const c = pivot / r;
      double const s = v[j] / r;
      pivot = r;
      double* const column = &l_(first_, first_ + j);
      double* const rest = v.data();
      for (index i = j + 1; i < n; ++i) {
        double const old = column[i];
        column[i] = c * old + s * rest[i];
        rest[i] = c * rest[i] - s * old;
      }
    }
    if (n == 0) first_ = 0;
  }

  /// Moves the factor back to the corner.
  void compact() {
    for (index j = 0; j < size_; ++j) {
      double const* const from = &l_(first_ + j, first_ + j);
      std::copy(from, from + (size_ - j), &l_(j, j));
    }
    first_ = 0;
  }

  /// Turns the covariance in `lower()` into its factor; `added[i]` is what had to be added to diagonal i.
  void factorise(double* added) {
    auto l = lower();
    for (index j = 0; j < size_; ++j) {
      double const diagonal = l(j, j);
      index const below = size_ - j;
      auto row = work_.head(j);
      row = l.row(j).head(j).transpose();
      if (j > 0) l.col(j).tail(below).noalias() -= l.block(j, 0, below, j) * row;
      added[j] = jitter(l(j, j), diagonal);
      double const pivot = std::sqrt(l(j, j) + added[j]);
      l.col(j).tail(below) /= pivot;
      l(j, j) = pivot;
    }
  }

  /// With the rows and columns from `from` on alone.
  void solve_lower(Eigen::Ref<vector> v, index from = 0) const {
    detail::solve_lower(&l_(first_ + from, first_ + from), l_.rows(), v.size(), v.data());
  }
  void solve_upper(Eigen::Ref<vector> v) const {
    detail::solve_lower_transposed(&l_(first_, first_), l_.rows(), v.size(), v.data());
  }

  template <class Archive>
  void fields(Archive& a) {
    a.below(first_, static_cast<std::size_t>(rows()) + 1);
    a.below(size_, static_cast<std::size_t>(rows() - first_) + 1);
    for (index j = 0; j < size_; ++j) exchange(a, l_.col(first_ + j).segment(first_ + j, size_ - j));
  }

 private:
  /// The smallest step of a ladder that keeps a pivot clear of rounding: near-duplicates without noise need it.
  static double jitter(double pivot, double diagonal) {
    double const least = 1e-12 * diagonal;
    if (pivot >= least) return 0.0;
    for (double step = 1e-10; step < 1.0; step *= 10.0) {
      if (pivot + step * diagonal >= least) return step * diagonal;
    }
    return diagonal - pivot;
  }

  matrix l_;
  vector work_;
  index first_ = 0;
  index size_ = 0;
};

}  // namespace autotunenet::detail
