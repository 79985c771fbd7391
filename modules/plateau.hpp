#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>

#include "sample_mean.hpp"

namespace autotunenet {

/// Tells when a noisy metric that should fall has stopped falling.
///
/// The run is cut into stretches that grow with its length, and each stretch is compared with the one before it: a
/// plateau is two means that differ by less than their standard error. Constant memory; shifting or scaling the metric
/// changes nothing.
class plateau_detector {
 public:
  explicit plateau_detector(std::size_t shortest) : shortest_(shortest) {}

  /// Takes one metric; returns whether a plateau showed with it. @pre the metric is finite
  bool add(double metric) noexcept {
    ++seen_;
    current_.add(metric);
    if (current_.count() < static_cast<double>(std::max(shortest_, seen_ / growth))) return false;
    double const error = std::hypot(previous_.error(), current_.error());
    bool const flat = previous_.count() > 0.0 && previous_.mean() - current_.mean() < error;
    previous_ = current_;
    current_ = {};
    return flat;
  }

  /// The next stretch has no level to compare with, but is as long as the run has made it.
  void begin_afresh() noexcept { previous_ = current_ = {}; }

  template <class Archive>
  void fields(Archive& a) {
    a(seen_)(previous_)(current_);
  }

 private:
  static constexpr std::size_t growth = 20;

  std::size_t shortest_;
  std::size_t seen_ = 0;
  sample_mean previous_;
  sample_mean current_;
};

}  // namespace autotunenet
