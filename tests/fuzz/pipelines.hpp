#pragma once
#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>

import autotunenet;

using namespace autotunenet;

namespace fuzz {

struct kind {
  tuner_kind tuner;
  hook objective;
  std::size_t horizon;
  goal direction = goal::minimize;
};
/// Each of the tuners; metrics of steps, of epochs, and of what the first observation says; long runs, short ones, and
/// those of unknown length; a metric that should grow.
inline constexpr std::array kinds{
    kind{tuner_kind::bayesian, hook::step, 3000}, kind{tuner_kind::tpe, hook::step, 3000},
    kind{tuner_kind::random, hook::step, 3000},   kind{tuner_kind::bayesian, hook::epoch, 20},
    kind{tuner_kind::tpe, hook::first, 200},      kind{tuner_kind::random, hook::validation, 0},
    kind{tuner_kind::random, hook::step, 60},     kind{tuner_kind::random, hook::step, 60, goal::maximize},
};
/// And a tuner of levels.
inline constexpr std::uint8_t pipeline_kinds = kinds.size() + 1;

/// The default pipeline of each kind.
inline suggestions pipeline(std::uint8_t which) {
  search_space const space{real{"lr", 1e-6, 1.0, scale::log}, integer{"batch", 8, 256},
                           categorical{"schedule", {"a", "b"}}};
  which %= pipeline_kinds;
  if (which == kinds.size()) return bayesian(space, {.seed = 5, .from = learned::level}) | every(2) | guard();
  settings chosen{.parameters = space,
                  .tuning = {.tuner = kinds[which].tuner,
                             .direction = kinds[which].direction,
                             .objective = kinds[which].objective,
                             .seed = 5,
                             .horizon = kinds[which].horizon}};
  if (kinds[which].objective == hook::step) chosen.tuning.tune_n_steps = 2;
  return make_pipeline(chosen);
}

/// Training that fails at its second step, and now and then.
inline void steps(suggestions& tuner, int count) {
  constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
  double loss = 3.0;
  for (int i = 0; i < count && tuner.poll(); ++i) {
    bool const fails = i % 17 == 1;
    double const validation = i % 4 == 3 ? 3.0 - loss : not_a_number;
    tuner.tell({.metric = fails ? not_a_number : loss *= 0.99, .restorable = true, .validation = validation});
  }
}

}  // namespace fuzz
