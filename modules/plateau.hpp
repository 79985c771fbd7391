#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>

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
    if (current_.count < std::max(shortest_, seen_ / growth)) return false;
    bool const flat = previous_.count > 0 && previous_.mean - current_.mean < standard_error();
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

  // Welford's running mean and variance.
  struct stretch {
    std::size_t count = 0;
    double mean = 0.0;
    double squares = 0.0;
    void add(double metric) noexcept {
      ++count;
      double const from_mean = metric - mean;
      mean += from_mean / static_cast<double>(count);
      squares += from_mean * (metric - mean);
    }
    template <class Archive>
    void fields(Archive& a) {
      a(count)(mean)(squares);
    }
    double variance_of_mean() const noexcept {
      auto const n = static_cast<double>(count);
      return count > 1 ? squares / (n - 1.0) / n : 0.0;
    }
  };
  double standard_error() const noexcept {
    return std::sqrt(previous_.variance_of_mean() + current_.variance_of_mean());
  }

  std::size_t shortest_;
  std::size_t seen_ = 0;
  stretch previous_;
  stretch current_;
};

}  // namespace autotunenet
