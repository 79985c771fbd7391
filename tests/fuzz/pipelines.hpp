#pragma once
#include <coroutine>
#include <cstdint>
#include <limits>

import autotunenet;

using namespace autotunenet;

namespace fuzz {

inline constexpr std::uint8_t pipeline_kinds = 3;

/// The default pipeline around each of the tuners.
inline suggestions pipeline(std::uint8_t which) {
  settings chosen{.parameters = search_space{real{"lr", 1e-6, 1.0, scale::log}, integer{"batch", 8, 256},
                                             categorical{"schedule", {"a", "b"}}},
                  .tuning = {.objective = hook::step, .seed = 5, .tune_n_steps = 2, .horizon = 3000}};
  chosen.tuning.tuner = static_cast<tuner_kind>(which % pipeline_kinds);
  return make_pipeline(chosen);
}

inline void steps(suggestions& tuner, int count) {
  double loss = 3.0;
  for (int i = 0; i < count && tuner.poll(); ++i) {
    double const validation = i % 4 == 3 ? 3.0 - loss : std::numeric_limits<double>::quiet_NaN();
    tuner.tell({.metric = loss *= 0.99, .restorable = true, .validation = validation});
  }
}

}  // namespace fuzz
