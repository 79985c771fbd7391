#pragma once

#include <memory>

#include "method.hpp"

namespace training {

/// The policy of the Python library AutoTuneNet, re-created from its description and from how it behaves, mistakes
/// included: TPE on the level of the metric, the rate sampled linearly from [1e-4, 1e-1], bounded steps, a guard.
std::unique_ptr<controller> make_python_policy();

}  // namespace training
