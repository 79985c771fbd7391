#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "results.hpp"
#include "suites.hpp"

namespace training {

/// How one method did over the starting rates of a sweep. Accuracies are medians over the seeds, per start.
struct sweep_row {
  std::string method{};
  std::size_t starts = 0;            ///< that were run
  std::size_t near_best_fixed = 0;   ///< within 0.5 points of the best fixed rate
  std::size_t near_best_cosine = 0;  ///< within 0.5 points of the best cosine
  double middle = unknown;
  double worst = unknown;
  std::size_t worse_than_alone = 0;  ///< more than 0.5 points below the same start at a fixed rate
  std::size_t dead = 0;              ///< accuracy under 0.2
  std::size_t diverged = 0;          ///< in any seed
  double extra_work = 0.0;           ///< the most
  double controller_share = 0.0;     ///< median of its part in the wall clock
};

struct sweep_table {
  std::string problem{}, optimizer{};
  std::size_t starts = 0;  ///< that the sweep has
  double best_fixed = unknown, best_cosine = unknown;
  std::vector<sweep_row> rows{};

  sweep_row const* find(std::string_view method) const;
};

/// One table for each problem and optimizer of the sweep that has a result.
std::vector<sweep_table> sweep_tables(results const& of, suite const& sweep);

}  // namespace training
