#pragma once

#include <string>

#include "record.hpp"

namespace training {

/// Problems without a network.
bool is_synthetic(job const& what);

/// Throws std::invalid_argument for a method or problem that there is not.
record run_synthetic(job const& what);

/// AutoTuneNet on one sampled run of the noisy quadratic; it sees the loss of each step's sample.
record quadratic_ours(job const& what, std::size_t steps);

/// A bandit whose reward function drifts (Bogunovic, Scarlett and Cevher 2016, "Time-varying Gaussian process bandit
/// optimization"). The final loss is the mean regret of a step.
record bandit(job const& what);

}  // namespace training
