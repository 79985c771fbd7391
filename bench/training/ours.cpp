#include "ours.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "undone_steps.hpp"

import autotunenet.torch;
import training.ours_pipeline;

namespace training {

namespace {

using namespace autotunenet;

class ours final : public controller {
 public:
  explicit ours(bool several) : several_(several) {}

  void begin(plan const& run, trainee& t) override {
    // As wide as somebody without a clue would say.
    std::vector<parameter> parameters{real{"lr", 1e-6, 1e2, scale::log}};
    std::vector<setter> setters;
    if (several_) {
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
    tuner_.emplace(
        *t.optimizer, ours_pipeline(std::move(start), {.seed = run.seed, .horizon = run.steps}),
        torch_options{.model = t.model, .setters = std::move(setters), .on_restore = [this](restoration const& back) {
                        undone_.undo(back.marked_at, back.marked_at + back.steps_undone);
                      }});
  }

  void after_step(std::size_t, double loss, trainee&) override {
    tuner_->on_step_end(loss);
    if (has(tuner_->current().events, event::rolled_back | event::backed_off)) ++rollbacks_;
  }

  void after_epoch(std::size_t, double validation_loss, trainee&) override {
    tuner_->on_validation_end(validation_loss);
  }

  bool restores() const override { return true; }
  account done() const override { return {.rollbacks = rollbacks_, .undone_steps = undone_.count()}; }

 private:
  bool several_;
  std::optional<torch_tuner> tuner_;
  undone_steps undone_;
  std::size_t rollbacks_ = 0;
};

}  // namespace

std::unique_ptr<controller> make_ours(bool several) { return std::make_unique<ours>(several); }

}  // namespace training
