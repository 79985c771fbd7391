module;
#include <cstddef>
#include <utility>

module training.ours_pipeline;

import autotunenet;

namespace training {

autotunenet::suggestions ours_pipeline(autotunenet::configuration start, ours_setting setting) {
  using namespace autotunenet;
  auto space = start.space();
  return bayesian(std::move(space), {.seed = setting.seed, .start = std::move(start)}) | every(20) |
         anneal({.horizon = setting.horizon}) | range_test({.horizon = setting.horizon}) | guard();
}

}  // namespace training
