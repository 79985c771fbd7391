module;
#include <cstddef>
#include <utility>

module training.ours_pipeline;

import autotunenet;

namespace training {

autotunenet::suggestions ours_pipeline(autotunenet::configuration start, ours_setting setting) {
  using namespace autotunenet;
  settings const chosen{.tuning = {.objective = setting.objective, .seed = setting.seed, .horizon = setting.horizon}};
  return make_pipeline(chosen, std::move(start));
}

}  // namespace training
