#pragma once
#include <algorithm>
#include <cstddef>

#include "sample_mean.hpp"

namespace autotunenet {

/// Tells when a noisy metric that should fall has stopped falling.
///
/// The run is cut into stretches of a third of its length so far, and each is compared with the one before it: a
/// plateau is a mean that is no better. Shorter ones would find noise where progress is slow, and lowering the rate
/// makes it slower still. Constant memory; shifting or scaling the metric changes nothing.
class plateau_detector {
 public:
  /// Takes one metric; returns whether a plateau showed with it. @pre the metric is finite
  /// @param shortest metrics in a stretch, at least
  bool add(double metric, std::size_t shortest) noexcept {
    ++seen_;
    current_.add(metric);
    if (current_.count() < static_cast<double>(std::max(shortest, seen_ / growth))) return false;
    bool const flat = previous_.count() > 0.0 && current_.mean() >= previous_.mean();
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
  static constexpr std::size_t growth = 3;

  std::size_t seen_ = 0;
  sample_mean previous_;
  sample_mean current_;
};

}  // namespace autotunenet
