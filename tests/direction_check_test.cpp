#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "support/noise.hpp"

import autotunenet;

using namespace autotunenet;

namespace {

/// How often the question comes up in a run of the default pipeline. Progress, from 0 on, is the trainer's state: it
/// goes back when the guard asks for that and `restorable` is set.
std::size_t asked(std::uint64_t seed, bool restorable, std::function<double(double)> const& metric, double noise,
                  std::size_t steps = 3000) {
  settings const chosen{.parameters = search_space{real{"lr", 1e-4, 1e-1, scale::log}},
                        .tuning = {.objective = hook::step, .seed = seed, .range_test = false}};
  suggestions tuner = make_pipeline(chosen);
  support::noise random(seed);
  double progress = 0.0, candidate = 0.0, good = 0.0;
  std::size_t times = 0;
  for (std::size_t i = 0; i < steps; ++i) {
    suggestion const& next = tuner.ask();
    times += has(next.events, event::only_worse) ? 1 : 0;
    if (restorable) {
      if (has(next.state, training_state::return_to_good)) progress = good;
      if (has(next.state, training_state::promote)) good = candidate;
      if (has(next.state, training_state::mark_candidate)) candidate = progress;
    }
    progress += 1.0;
    tuner.tell({.metric = metric(progress) + noise * random.normal(), .restorable = restorable});
  }
  return times;
}

double accuracy(double progress) { return 0.9 - 0.8 * std::exp(-progress / 300.0); }

}  // namespace

TEST_CASE("a metric that should grow but is minimised raises the question of its direction, once") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    INFO("seed " << seed);
    CHECK(asked(seed, false, accuracy, 0.01) == 1);
    CHECK(asked(seed, true, accuracy, 0.0) <= 1);
  }
}

TEST_CASE("a metric that goes the right way, stays, or gets worse only after it was better raises no question") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    INFO("seed " << seed);
    for (bool const restorable : {false, true}) {
      CHECK(asked(seed, restorable, [](double p) { return -accuracy(p); }, 0.05) == 0);
      CHECK(asked(seed, restorable, [](double) { return 2.3; }, 0.1) == 0);
      CHECK(asked(seed, restorable, [](double p) { return p < 400 ? 2.0 - p / 400 : p / 400; }, 0.02) == 0);
    }
  }
}
