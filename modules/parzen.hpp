#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>
#include <vector>

#include "random_engine.hpp"

namespace autotunenet::detail {

/// A Parzen estimator on [0, 1] (Bergstra et al. 2011, section 4.2): a truncated Gaussian at each observation, as wide
/// as the farther of its neighbours is away, and a broad one in the middle as prior. Of categories: smoothed
/// frequencies.
class parzen {
 public:
  explicit parzen(std::size_t capacity) {
    center_.reserve(capacity + 1);
    width_.reserve(capacity + 1);
    scale_.reserve(capacity + 1);
  }

  /// `count`: categories, or 0. `which` are places in `column`.
  void fit(double const* column, std::span<std::size_t const> which, double count) {
    count_ = count;
    center_.clear();
    for (std::size_t at : which) center_.push_back(column[at]);
    if (count > 0.0) return;
    center_.push_back(0.5);
    std::ranges::sort(center_);
    auto const prior = static_cast<std::size_t>(std::ranges::lower_bound(center_, 0.5) - center_.begin());
    std::size_t const n = center_.size();
    double const narrowest = 1.0 / std::min(100.0, static_cast<double>(n) + 1.0);
    width_.resize(n);
    scale_.resize(n);
    for (std::size_t i = 0; i < n; ++i) {
      double const left = center_[i] - (i > 0 ? center_[i - 1] : 0.0);
      double const right = (i + 1 < n ? center_[i + 1] : 1.0) - center_[i];
      width_[i] = i == prior ? 1.0 : std::clamp(std::max(left, right), narrowest, 1.0);
      double const inside = below((1.0 - center_[i]) / width_[i]) - below(-center_[i] / width_[i]);
      scale_[i] = 1.0 / (inside * width_[i] * std::sqrt(2.0 * std::numbers::pi) * static_cast<double>(n));
    }
  }

  double draw(random_engine& random) const {
    if (count_ > 0.0) return draw_category(random);
    auto const i = static_cast<std::size_t>(random.below(center_.size()));
    for (int attempt = 0; attempt < 64; ++attempt) {
      double const at = center_[i] + width_[i] * random.normal();
      if (at >= 0.0 && at <= 1.0) return at;
    }
    return center_[i];
  }

  double density(double at) const {
    if (count_ > 0.0) {
      auto const same = static_cast<double>(std::ranges::count(center_, at));
      return (same + 1.0 / count_) / (static_cast<double>(center_.size()) + 1.0);
    }
    double sum = 0.0;
    for (std::size_t i = 0; i < center_.size(); ++i) {
      double const z = (at - center_[i]) / width_[i];
      sum += scale_[i] * std::exp(-0.5 * z * z);
    }
    return std::max(sum, 1e-300);
  }

 private:
  static double below(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

  /// One of the observations, or, as often as one of them, any category.
  double draw_category(random_engine& random) const {
    auto const i = static_cast<std::size_t>(random.below(center_.size() + 1));
    return i < center_.size() ? center_[i] : random.uniform();
  }

  std::vector<double> center_;
  std::vector<double> width_;
  std::vector<double> scale_;
  double count_ = 0.0;
};

}  // namespace autotunenet::detail
