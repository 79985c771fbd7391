#pragma once

#include <span>

#include "record.hpp"

namespace training {

/// How a run took a shift, from the validation losses of its history; a loss that is not finite or above 10 counts as
/// 10.
struct shift_metrics {
  double spike = unknown;        ///< the worst loss after the shift, as a multiple of the last one before
  double degradation = unknown;  ///< the final loss minus the last one before the shift
  double recovery = unknown;     ///< epochs until the loss was at most `level`; those that there were, if it never was
  double cumulative = unknown;   ///< the loss added up over the epochs after the shift
};

/// @param from the epoch, counted from 0, with which the shift began
shift_metrics measure_shift(std::span<measurement const> history, double from, double level);

}  // namespace training
