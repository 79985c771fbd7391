#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

#include "gaussian_bandit.hpp"
#include "normal.hpp"
#include "synthetic.hpp"

import autotunenet;

namespace training {

namespace {

constexpr std::size_t steps = 300;

std::size_t nearest_arm(double x) {
  return static_cast<std::size_t>(std::lround(std::clamp(x, 0.0, 1.0) * static_cast<double>(arms - 1)));
}

}  // namespace

record bandit(job const& what) {
  using namespace autotunenet;
  double const drift = std::stod(what.regime.substr(what.regime.find('_') + 1));
  if (what.method != "gp_ucb" && what.method != "tv_gp_ucb" && what.method != "random" && what.method != "ours")
    throw std::invalid_argument("There is no method " + what.method + " for the bandit.");

  drifting_reward reward(drift, what.seed + 1);
  normal_stream noise(what.seed + 1000003);
  time_varying_ucb ucb(what.method == "tv_gp_ucb" ? drift : 0.0);
  search_space const space{real{"x", 0.0, 1.0}};
  auto tuner = bayesian(space, {.seed = what.seed});
  // Our tuner is told a metric that falls by each step's reward, as a loss falls while training goes on.
  double metric = 0.0, regret = 0.0;
  record out{.what = what};
  std::chrono::steady_clock::duration in_controller{};
  for (std::size_t t = 0; t < steps; ++t) {
    auto const asked = std::chrono::steady_clock::now();
    std::size_t arm = 0;
    if (what.method == "ours") arm = nearest_arm(tuner.ask().values[0]);
    if (what.method == "random") arm = nearest_arm(noise.uniform());
    if (what.method.ends_with("gp_ucb")) arm = ucb.choose();
    in_controller += std::chrono::steady_clock::now() - asked;
    regret += reward.best() - reward.at(arm);
    double const seen = reward.at(arm) + 0.1 * noise.next();
    auto const told = std::chrono::steady_clock::now();
    if (what.method.ends_with("gp_ucb")) ucb.tell(arm, seen);
    if (what.method == "ours") {
      metric -= seen;
      tuner.tell(metric);
    }
    in_controller += std::chrono::steady_clock::now() - told;
    reward.drift();
    if ((t + 1) % (steps / 10) == 0)
      out.history.push_back({.epoch = static_cast<double>(t + 1) / static_cast<double>(steps),
                             .step = t + 1,
                             .val_loss = regret / static_cast<double>(t + 1)});
  }
  out.final_val_loss = out.best_val_loss = regret / static_cast<double>(steps);
  out.controller_seconds = std::chrono::duration<double>(in_controller).count();
  return out;
}

}  // namespace training
