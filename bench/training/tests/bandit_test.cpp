#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>

#include "gaussian_bandit.hpp"
#include "synthetic.hpp"

using namespace training;
using Catch::Matchers::WithinAbs;

TEST_CASE("a reward without drift stays, one with drift keeps its spread") {
  drifting_reward still(0.0, 1);
  double const before = still.at(7);
  for (int t = 0; t < 50; ++t) still.drift();
  CHECK_THAT(still.at(7), WithinAbs(before, 1e-12));

  drifting_reward moving(0.1, 2);
  double square = 0.0;
  constexpr int steps = 20000;
  for (int t = 0; t < steps; ++t) {
    moving.drift();
    square += moving.at(20) * moving.at(20) / steps;
  }
  CHECK_THAT(square, WithinAbs(1.0, 0.15));
}

TEST_CASE("GP-UCB finds the best arm of a reward that stays") {
  drifting_reward const reward(0.0, 5);
  time_varying_ucb ucb(0.0);
  double last = 0.0;
  for (int t = 0; t < 60; ++t) {
    auto const arm = ucb.choose();
    last = reward.best() - reward.at(arm);
    ucb.tell(arm, reward.at(arm));
  }
  CHECK(last < 0.05);
}

TEST_CASE("under drift, forgetting has less regret than GP-UCB, and both less than chance") {
  auto const regret = [](char const* method) {
    double sum = 0.0;
    for (std::uint64_t seed = 0; seed < 4; ++seed)
      sum += bandit({.problem = "bandit", .regime = "drift_0.03", .method = method, .seed = seed}).final_val_loss;
    return sum;
  };
  double const forgetting = regret("tv_gp_ucb"), remembering = regret("gp_ucb"), chance = regret("random");
  CHECK(forgetting < remembering);
  CHECK(remembering < chance);
}
