#include "schedules.hpp"

#include <cmath>
#include <numbers>

namespace training {

namespace {

double along_cosine(double from, double to, double fraction) {
  return to + (from - to) * 0.5 * (1.0 + std::cos(std::numbers::pi * fraction));
}

}  // namespace

double cosine_shape(double progress) { return along_cosine(1.0, 0.0, progress); }

double step_shape(double progress) { return progress < 0.5 ? 1.0 : progress < 0.75 ? 0.1 : 0.01; }

double one_cycle_shape(double progress) {
  constexpr double rise = 0.3, first = 1.0 / 25.0, last = first / 1e4;
  return progress < rise ? along_cosine(first, 1.0, progress / rise)
                         : along_cosine(1.0, last, (progress - rise) / (1.0 - rise));
}

}  // namespace training
