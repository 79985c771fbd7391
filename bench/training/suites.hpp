#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "record.hpp"

namespace training {

/// How a suite's results are set out.
enum class layout { runs, starts, shifts, best_cosine, synthetic };

struct suite {
  std::string_view name;
  std::string_view about;
  layout table;
  std::vector<job> jobs{};
};

struct suite_options {
  bool quick = false;
  std::size_t seeds = 0;   ///< 0: as many as each suite wants
  std::size_t epochs = 0;  ///< 0: as each suite wants
};

/// All suites with their runs; the same options give the same runs.
std::vector<suite> suites(suite_options options = {});

/// DeepOBS's grid (Schneider, Balles and Hennig 2019): `count` rates from 1e-5 to 1e2, evenly spaced by ratio.
std::vector<double> start_rates(std::size_t count = 36);

}  // namespace training
