#include "python_policy.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <limits>
#include <numeric>
#include <optional>
#include <random>

import autotunenet;

namespace training {

namespace {

using namespace autotunenet;

constexpr double lowest = 1e-4, highest = 1e-1, max_delta = 0.5, max_regression = 0.2;
constexpr std::size_t warm_up = 2, smoothing = 5, patience = 2, cooldown = 3;

class python_policy final : public controller {
 public:
  void begin(plan const& run, trainee&) override {
    search_space const space{real{"lr", lowest, highest, scale::linear}};
    std::mt19937_64 engine(run.seed + 17);
    auto const first = space.at({{"lr", lowest + (highest - lowest) * static_cast<double>(engine() >> 11) * 0x1p-53}});
    tuner_.emplace(tpe(space, {.seed = run.seed, .start = first}));
  }

  void after_epoch(std::size_t epoch, double validation_loss, trainee& t) override {
    recent_.push_back(validation_loss);
    if (recent_.size() > smoothing) recent_.pop_front();
    double const score = -std::accumulate(recent_.begin(), recent_.end(), 0.0) / static_cast<double>(recent_.size());
    if (epoch < warm_up) return;
    if (unstable(score, t.lr())) {
      ++rollbacks_;
      move(last_good_, t);
      pending_ = false;
      return;
    }
    // Told is what was suggested, not what was applied.
    if (pending_) tuner_->tell(observation{.metric = std::isfinite(score) ? -score : 1e9});
    pending_ = true;
    move(tuner_->ask().values[0], t);
  }

  account done() const override { return {.rollbacks = rollbacks_}; }

 private:
  bool unstable(double score, double lr) {
    if (resting_ > 0) {
      --resting_;
      last_good_ = lr;
      return false;
    }
    if (!best_) best_ = score;
    bool const regressed = score < *best_ - max_regression * std::abs(*best_);
    bad_ = regressed ? bad_ + 1 : 0;
    if (bad_ >= patience) {
      bad_ = 0;
      resting_ = cooldown;
      return true;
    }
    // The first bad step of two counts as good.
    last_good_ = lr;
    best_ = std::max(*best_, score);
    return false;
  }

  // Clamps the step, rollbacks too, and never the bounds.
  static void move(double to, trainee& t) {
    double const from = t.lr();
    t.set_lr(std::clamp(to, from * (1.0 - max_delta), from * (1.0 + max_delta)));
  }

  std::optional<suggestions> tuner_;
  std::deque<double> recent_;
  std::optional<double> best_;
  double last_good_ = 1e-3;
  std::size_t bad_ = 0;
  std::size_t resting_ = 0;
  std::size_t rollbacks_ = 0;
  bool pending_ = false;
};

}  // namespace

std::unique_ptr<controller> make_python_policy() { return std::make_unique<python_policy>(); }

}  // namespace training
