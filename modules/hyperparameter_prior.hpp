#pragma once
#include <algorithm>
#include <cmath>

#include "covariance.hpp"
#include "own_eigen.hpp"

namespace autotunenet::detail {

/// Normal priors and hard bounds of the logarithms of hyperparameters, and Adam (Kingma and Ba 2015) to climb under
/// them. The order is that of `covariance`.
class hyperparameter_prior {
 public:
  hyperparameter_prior(index dimensions, Eigen::Array<bool, Eigen::Dynamic, 1> const& categorical, double half_life)
      : location_(covariance::count(dimensions)),
        spread_(location_.size()),
        lowest_(location_.size()),
        highest_(location_.size()),
        first_moment_(vector::Zero(location_.size())),
        second_moment_(vector::Zero(location_.size())) {
    set(0, 1.0, 0.75, 0.05, 10.0);
    set(1, 0.4, 1.0, 1e-3, 10.0);
    set(2, 0.4, 1.0, 1e-3, 10.0);
    set(3, 0.5, 1.5, 1e-3, 100.0);
    // Wide: the covariance of time is rough, so that what nothing moves is only told as sharply as it was measured with
    // a half-life far beyond any window.
    constexpr double longest = 1e7;
    set(covariance::half_life, std::min(half_life, longest), 3.0, 4.0, longest);
    double const typical = 0.5 * std::sqrt(static_cast<double>(dimensions));
    for (index d = 0; d < dimensions; ++d) {
      if (categorical[d])
        set(covariance::lengths + d, 1.0, 0.75, 0.1, 20.0);
      else
        set(covariance::lengths + d, typical, 0.75, 0.05, 50.0);
    }
  }

  double typical(index i) const { return std::exp(location_[i]); }

  /// One step up from `logs`, given the gradient of the log likelihood (overwritten).
  void climb(Eigen::Ref<vector> logs, Eigen::Ref<vector> gradient, double rate) {
    constexpr double keep_first = 0.8;
    constexpr double keep_second = 0.95;
    first_power_ *= keep_first;
    second_power_ *= keep_second;
    for (index i = 0; i < logs.size(); ++i) {
      double const slope = gradient[i] - (logs[i] - location_[i]) / (spread_[i] * spread_[i]);
      if (!std::isfinite(slope * slope)) continue;  // values too large to reckon with teach nothing
      first_moment_[i] = keep_first * first_moment_[i] + (1.0 - keep_first) * slope;
      second_moment_[i] = keep_second * second_moment_[i] + (1.0 - keep_second) * slope * slope;
      double const mean = first_moment_[i] / (1.0 - first_power_);
      double const size = std::sqrt(second_moment_[i] / (1.0 - second_power_));
      logs[i] = std::clamp(logs[i] + rate * mean / (size + 1e-3), lowest_[i], highest_[i]);
    }
  }

  template <class Archive>
  void fields(Archive& a) {
    exchange(a, first_moment_);
    exchange(a, second_moment_);
    a(first_power_)(second_power_);
  }

 private:
  void set(index i, double median, double spread, double lowest, double highest) {
    location_[i] = std::log(median);
    spread_[i] = spread;
    lowest_[i] = std::log(lowest);
    highest_[i] = std::log(highest);
  }

  vector location_, spread_, lowest_, highest_;
  vector first_moment_, second_moment_;
  double first_power_ = 1.0;
  double second_power_ = 1.0;
};

}  // namespace autotunenet::detail
