#include <algorithm>
#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <random>

import autotunenet;

using namespace autotunenet;

// What the guard makes of a run in which other stages have tried values from a saved state.

namespace {

struct network {
  double trained = 0.0;
  std::size_t steps = 0;

  double step(double rate) {
    double const loss = rate > 1.0 ? 5.0 : 0.2 + 1.0 / (1.0 + trained);
    trained += 0.5 * std::min(rate, 0.2);
    ++steps;
    return loss;
  }
};

/// Of a run of the default pipeline, the steps that the guard takes back.
/// @param wave what is added to the loss at each step
std::size_t taken_back(std::size_t run, auto wave) {
  network trained;
  state_copies<network> copies;
  suggestions tuning = make_pipeline({.parameters = search_space{real{"lr", 1e-5, 10.0, scale::log}},
                                      .tuning = {.objective = hook::step, .seed = 1, .horizon = run}});
  std::size_t lost = 0;
  for (std::size_t step = 0; step < run; ++step) {
    suggestion const& now = tuning.ask();
    std::size_t const before = trained.steps;
    copies.carry_out(now.state, trained);
    if (has(now.state, training_state::return_to_good)) lost += before - trained.steps;
    double const loss = trained.step(now.values[0]);
    tuning.tell({.metric = loss + wave(step), .restorable = true, .covers = coverage::step});
  }
  return lost;
}

}  // namespace

TEST_CASE("waves in the metric that are small beside what training has gained are no regression") {
  bool const smooth = GENERATE(true, false);
  std::mt19937_64 random(1);
  auto const wave = [&](std::size_t step) {
    double const phase = static_cast<double>(step % 100) / 100.0;
    double const noise = std::uniform_real_distribution<double>(-0.015, 0.015)(random);
    return noise + (smooth ? 0.03 * std::sin(2.0 * std::numbers::pi * phase) : phase < 0.5 ? 0.06 : -0.06);
  };
  CHECK(taken_back(4000, wave) < 80);
}

TEST_CASE("nor is noise that lasts, also where the metric itself has moved") {
  double const lasting = GENERATE(0.9, 0.97);
  double const moved = GENERATE(0.0, 0.5);
  CAPTURE(lasting, moved);
  std::size_t lost = 0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    std::mt19937_64 random(seed);
    std::normal_distribution<double> normal;
    double noise = 0.0;
    lost += taken_back(4000, [&](std::size_t step) {
      noise = lasting * noise + std::sqrt(1.0 - lasting * lasting) * normal(random);
      return 0.03 * noise + (step >= 2000 ? moved : 0.0);
    });
  }
  CHECK(lost < 5 * 120);
}
