#pragma once

#include "dataset.hpp"
#include "method.hpp"
#include "record.hpp"

namespace training {

/// Trains once, from the weights and in the batch order that belong to the job's seed, under the method's control. Sets
/// LibTorch's random engine. Throws std::invalid_argument for names that there are not.
record train(job const& what, dataset const& data, controller& method);

/// Does a job, which for offline search is many runs.
record run(job const& what, dataset const& data);

/// LibTorch's threads for this process.
void set_threads(int count);

}  // namespace training
