#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "results.hpp"
#include "shift_metrics.hpp"
#include "suites.hpp"

namespace training {

/// How one method took one shift: medians over the seeds.
struct shift_row {
  std::string method{};
  shift_metrics took{};
  double regret = unknown;    ///< cumulative loss beyond that of the best fixed rate in hindsight, of the same seed
  double relative = unknown;  ///< the same as a fraction of it
  double accuracy = unknown;
  std::size_t seeds = 0;
};

struct shift_table {
  std::string regime;
  std::vector<shift_row> rows;  ///< the first is the best fixed rate in hindsight
};

std::vector<shift_table> shift_tables(results const& of, suite const& shifts);

}  // namespace training
