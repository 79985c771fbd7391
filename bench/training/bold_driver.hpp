#pragma once

#include <cstddef>
#include <limits>

namespace training {

/// The bold driver (Vogl et al. 1988; Battiti 1989): after a stretch in which the mean loss fell the rate grows by 5 %,
/// after one in which it did not the rate is halved.
class bold_driver {
 public:
  explicit bold_driver(std::size_t stretch) : stretch_(stretch) {}

  /// The multiple to apply to the rate now; 1 within a stretch.
  double tell(double loss) {
    sum_ += loss;
    if (++seen_ < stretch_) return 1.0;
    double const mean = sum_ / static_cast<double>(seen_);
    bool const fell = mean < last_;
    last_ = mean - mean == 0.0 ? mean : std::numeric_limits<double>::infinity();
    sum_ = 0.0;
    seen_ = 0;
    return fell ? 1.05 : 0.5;
  }

 private:
  std::size_t stretch_;
  std::size_t seen_ = 0;
  double sum_ = 0.0;
  double last_ = std::numeric_limits<double>::infinity();
};

}  // namespace training
