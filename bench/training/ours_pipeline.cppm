module;
#include <cstddef>
#include <cstdint>

export module training.ours_pipeline;

import autotunenet;

export namespace training {

/// What a user would know.
struct ours_setting {
  std::uint64_t seed = 0;
  std::size_t horizon = 0;  ///< observations that the run will have
  autotunenet::hook objective = autotunenet::hook::step;
};

/// AutoTuneNet as a user gets it: the default pipeline, beginning with `start`.
autotunenet::suggestions ours_pipeline(autotunenet::configuration start, ours_setting setting);

}  // namespace training
