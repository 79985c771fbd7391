#pragma once

#include <span>
#include <string>
#include <vector>

#include "screen.hpp"
#include "training.hpp"

namespace fashion {

/// One row of the final table.
struct outcome {
  double start_rate = 0.0;
  bool tuned = false;
  standing at;
  double test_accuracy = unknown;
};

/// The line above the epochs of a pair of runs, and the line of an epoch.
std::string epoch_header();
std::string epoch_line(screen const& on, std::size_t epoch, std::size_t of, standing const& alone,
                       standing const& tuned);

/// The final table.
std::vector<std::string> table(screen const& on, std::span<outcome const> rows);

}  // namespace fashion
