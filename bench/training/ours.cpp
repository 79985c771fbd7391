#include "ours.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

import autotunenet.torch;
import training.ours_pipeline;

namespace training {

namespace {

using namespace autotunenet;

// As wide as somebody without a clue would say.
parameter any_rate() { return real{"lr", 1e-6, 1e2, scale::log}; }

// How much of a run came to nothing, and how often the guard took something back.
class costs {
 public:
  std::function<void(restoration const&)> listener() {
    return [this](restoration const& back) {
      (back.what == training_state::return_to_best ? overfitted_steps_ : undone_steps_) += back.steps_undone;
    };
  }
  void see(suggestion const& now) {
    if (has(now.events, event::rolled_back | event::backed_off)) ++rollbacks_;
  }
  account sum() const {
    return {.rollbacks = rollbacks_,
            .undone_steps = static_cast<std::size_t>(undone_steps_),
            .overfitted_steps = static_cast<std::size_t>(overfitted_steps_)};
  }

 private:
  std::int64_t undone_steps_ = 0;
  std::int64_t overfitted_steps_ = 0;
  std::size_t rollbacks_ = 0;
};

class ours final : public controller {
 public:
  explicit ours(ours_knows what) : knows_(what) {}

  void begin(plan const& run, trainee& t) override {
    std::vector<parameter> parameters{any_rate()};
    std::vector<setter> setters;
    if (knows_.several_parameters) {
      parameters.push_back(real{"weight_decay", 1e-6, 1e-2, scale::log});
      if (run.optimizer.starts_with("adam")) parameters.push_back(real{"beta1", 0.5, 0.99});
      if (run.optimizer == "momentum") parameters.push_back(real{"momentum", 0.5, 0.99});
      parameters.push_back(real{"dropout", 0.0, 0.5});
      parameters.push_back(real{"clip_norm", 0.1, 100.0, scale::log});
      setters.push_back(
          {.name = "dropout", .set = [&t](double p) { *t.dropout = p; }, .get = [&t] { return *t.dropout; }});
      setters.push_back({.name = "clip_norm", .set = [&t](double n) { *t.clip_norm = n; }});
    }
    search_space const space(std::move(parameters));
    auto start = current_values(*t.optimizer, space, setters);
    std::size_t const horizon = knows_.horizon ? run.steps : 0;
    tuner_.emplace(*t.optimizer, ours_pipeline(std::move(start), {.seed = run.seed, .horizon = horizon}),
                   torch_options{.model = t.model, .setters = std::move(setters), .on_restore = costs_.listener()});
  }

  void after_step(std::size_t, double loss, trainee&) override {
    tuner_->on_step_end(loss);
    costs_.see(tuner_->current());
  }

  void after_epoch(std::size_t, double validation_loss, trainee&) override {
    tuner_->on_validation_end(validation_loss);
  }

  bool restores() const override { return true; }
  account done() const override { return costs_.sum(); }

 private:
  ours_knows knows_;
  costs costs_;
  std::optional<torch_tuner> tuner_;
};

class ours_by_epochs final : public controller {
 public:
  explicit ours_by_epochs(told_of what) : told_of_(what) {}

  void begin(plan const& run, trainee& t) override {
    search_space const space{any_rate()};
    tuner_.emplace(
        *t.optimizer,
        ours_pipeline(current_values(*t.optimizer, space),
                      {.seed = run.seed, .horizon = run.steps / run.steps_per_epoch, .objective = hook::first}),
        torch_options{.model = t.model, .on_restore = costs_.listener()});
  }

  void after_step(std::size_t, double loss, trainee&) override {
    tuner_->on_step_end();
    sum_ += loss;
    ++steps_;
  }

  void after_epoch(std::size_t, double validation_loss, trainee&) override {
    double const training_loss = std::exchange(sum_, 0.0) / static_cast<double>(std::exchange(steps_, 0));
    if (told_of_ == told_of::training)
      tuner_->on_epoch_end(training_loss);
    else
      tuner_->on_validation_end(validation_loss);
    costs_.see(tuner_->current());
  }

  bool restores() const override { return true; }
  account done() const override { return costs_.sum(); }

 private:
  told_of told_of_;
  costs costs_;
  std::optional<torch_tuner> tuner_;
  double sum_ = 0.0;
  std::size_t steps_ = 0;
};

}  // namespace

std::unique_ptr<controller> make_ours(ours_knows what) { return std::make_unique<ours>(what); }
std::unique_ptr<controller> make_ours_by_epochs(told_of what) { return std::make_unique<ours_by_epochs>(what); }

}  // namespace training
