#pragma once

#include <string>
#include <vector>

#include "results.hpp"
#include "suites.hpp"

namespace training {

/// Ours against the best cosine of those tried on one network with one optimizer: test accuracy, medians over
/// the seeds.
struct unfamiliar_row {
  std::string problem{}, optimizer{};
  double ours = unknown;
  double worst = unknown;  ///< of ours
  double best_cosine = unknown;
  double best_peak = unknown;
  double next_cosine = unknown;  ///< the second best
  double extra_work = unknown;   ///< the greatest of ours, as a fraction of a run
};

std::vector<unfamiliar_row> unfamiliar_rows(results const& of, suite const& unfamiliar);

}  // namespace training
