#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

#include "normal.hpp"
#include "synthetic.hpp"

import autotunenet;
import training.ours_pipeline;

namespace training {

namespace {

using namespace autotunenet;

/// One sampled run of gradient descent on the noisy quadratic.
class sampled_quadratic {
 public:
  explicit sampled_quadratic(std::uint64_t seed) : noise_(seed) {}

  /// The loss of this step's sample, before the step.
  double step(double lr) {
    double loss = 0.0;
    for (std::size_t i = 0; i < now_.x.size(); ++i) {
      double const h = curvature(i), away = now_.x[i] - noise_.next() / std::sqrt(h);
      loss += 0.5 * h * away * away;
      now_.x[i] -= lr * h * away;
    }
    ++now_.kept;
    return loss;
  }

  double excess_loss() const {
    double loss = 0.0;
    for (std::size_t i = 0; i < now_.x.size(); ++i) loss += 0.5 * curvature(i) * now_.x[i] * now_.x[i];
    return loss;
  }

  /// Carries out a suggestion's state, just before `step`.
  void carry_out(training_state what) { saved_.carry_out(what, now_); }
  /// Steps that led to the present state.
  std::size_t kept() const { return now_.kept; }

 private:
  struct state {
    std::vector<double> x = std::vector<double>(100, 10.0);
    std::size_t kept = 0;
  };
  static double curvature(std::size_t i) { return 1.0 / static_cast<double>(i + 1); }

  state now_;
  state_copies<state> saved_;
  normal_stream noise_;
};

}  // namespace

record quadratic_ours(job const& what, std::size_t steps) {
  search_space const space{real{"lr", 1e-6, 1e2, scale::log}};
  auto tuner = ours_pipeline(space.at({{"lr", what.start_lr}}), {.seed = what.seed, .horizon = steps});
  sampled_quadratic model(what.seed + 1);
  record out{.what = what};
  std::chrono::steady_clock::duration in_controller{};
  for (std::size_t t = 0; t < steps; ++t) {
    auto const asked = std::chrono::steady_clock::now();
    auto const& now = tuner.ask();
    in_controller += std::chrono::steady_clock::now() - asked;
    model.carry_out(now.state);
    if (has(now.events, event::rolled_back | event::backed_off)) ++out.rollbacks;
    double const lr = now.values[0], loss = model.step(lr);
    if ((t + 1) % (steps / 10) == 0)
      out.history.push_back({.epoch = static_cast<double>(t + 1) / static_cast<double>(steps),
                             .step = t + 1,
                             .val_loss = model.excess_loss(),
                             .train_loss = loss,
                             .lr = lr});
    auto const told = std::chrono::steady_clock::now();
    tuner.tell(observation{.metric = loss, .restorable = true});
    in_controller += std::chrono::steady_clock::now() - told;
  }
  out.final_val_loss = model.excess_loss();
  out.best_val_loss = out.final_val_loss;
  for (auto const& m : out.history) out.best_val_loss = std::min(out.best_val_loss, m.val_loss);
  out.diverged = !(out.final_val_loss < 260.0);
  out.extra_work_fraction = static_cast<double>(steps - model.kept()) / static_cast<double>(steps);
  out.controller_seconds = std::chrono::duration<double>(in_controller).count();
  return out;
}

}  // namespace training
