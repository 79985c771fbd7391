module;
#include <ATen/core/Tensor.h>
#include <c10/core/Scalar.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <format>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <sstream>
#include <utility>
#include <vector>

#include "torch_fwd.hpp"

module autotunenet.torch;

namespace autotunenet {

namespace {

suggestion const& first_of(suggestions& pipeline) {
  suggestion const* const first = pipeline.poll();
  if (!first) throw invalid_option("the pipeline ended before its first suggestion");
  if (first->values.empty())
    throw invalid_option("the pipeline's first suggestion has no values: it must be a configuration of a search space");
  return *first;
}

}  // namespace

struct torch_tuner::state {
  suggestions pipeline;
  suggestion current;
  optimizer_values values;
  std::optional<training_slots> slots;
  std::function<void(restoration const&)> on_restore;
  hook objective;
  bool state_was_missing = false;
  std::uint64_t steps = 0;

  state(torch::optim::Optimizer& optimizer, suggestions from, torch_options options)
      : pipeline(std::move(from)),
        current(first_of(pipeline)),
        values(optimizer, current.values.space(), std::move(options.setters)),
        on_restore(std::move(options.on_restore)),
        objective(options.objective) {
    if (options.model) {
      slots.emplace(*options.model, optimizer,
                    slot_options{.random_engine = options.random_engine, .budget = options.snapshot_budget});
    }
  }

  void apply() {
    slots_report report;
    if (slots) report = slots->carry_out(current.state, steps);
    state_was_missing = !report.complete;
    if (report.returned != training_state::keep && on_restore) {
      on_restore({.what = report.returned, .marked_at = report.marked_at, .steps_undone = steps - report.marked_at});
    }
    values.apply(current.values);
  }

  void tell(double metric, outcome result, bool own_stretch) {
    if (pipeline.finished()) return;
    pipeline.tell({.metric = metric,
                   .result = result,
                   .number = current.number,
                   .applied = values.read(),
                   .steps = own_stretch ? 1.0 : 0.0,
                   .restorable = slots && !state_was_missing});
    suggestion const* const next = pipeline.poll();
    if (!next) return;
    current = *next;
    apply();
  }

  void hear(hook from, double metric) {
    if (objective == hook::first) objective = from;
    bool const usable = std::isfinite(metric);
    if (from == objective || !usable) tell(metric, usable ? outcome::measured : outcome::failed, from == objective);
  }
};

torch_tuner::torch_tuner(torch::optim::Optimizer& optimizer, suggestions pipeline, torch_options options)
    : state_(std::make_unique<state>(optimizer, std::move(pipeline), std::move(options))) {
  state_->apply();
}
torch_tuner::torch_tuner(torch_tuner&&) noexcept = default;
torch_tuner& torch_tuner::operator=(torch_tuner&&) noexcept = default;
torch_tuner::~torch_tuner() = default;

void torch_tuner::on_step_end() { ++state_->steps; }
void torch_tuner::on_step_end(double metric) {
  ++state_->steps;
  state_->hear(hook::step, metric);
}
void torch_tuner::on_step_end(at::Tensor const& metric) { on_step_end(metric_value(metric)); }
void torch_tuner::on_epoch_end(double metric) { state_->hear(hook::epoch, metric); }
void torch_tuner::on_epoch_end(at::Tensor const& metric) { on_epoch_end(metric_value(metric)); }
void torch_tuner::on_validation_end(double metric) { state_->hear(hook::validation, metric); }
void torch_tuner::on_validation_end(at::Tensor const& metric) { on_validation_end(metric_value(metric)); }
void torch_tuner::on_failure() {
  bool const step_lost = state_->objective == hook::step || state_->objective == hook::first;
  state_->tell(std::numeric_limits<double>::quiet_NaN(), outcome::failed, step_lost);
}

suggestion const& torch_tuner::current() const noexcept { return state_->current; }
std::span<double const> torch_tuner::applied() { return state_->values.read(); }
hook torch_tuner::objective() const noexcept { return state_->objective; }
bool torch_tuner::finished() const noexcept { return state_->pipeline.finished(); }
bool torch_tuner::restorable() const noexcept { return state_->slots.has_value(); }
std::uint64_t torch_tuner::steps() const noexcept { return state_->steps; }
double torch_tuner::snapshot_seconds() const noexcept { return state_->slots ? state_->slots->seconds() : 0.0; }

torch_tuner tune(torch::optim::Optimizer& optimizer, settings const& chosen, torch_options options) {
  if (!chosen.parameters) {
    throw invalid_option(
        "[parameters] is missing: name what should be tuned, for example lr = { min = 1e-5, max = 0.1 }");
  }
  if (options.objective == hook::first) options.objective = chosen.tuning.objective;
  auto pipeline = make_pipeline(chosen, current_values(optimizer, *chosen.parameters, options.setters));
  return {optimizer, std::move(pipeline), std::move(options)};
}

torch_tuner tune(torch::optim::Optimizer& optimizer, std::filesystem::path const& settings_file,
                 torch_options options) {
  return tune(optimizer, read_settings(settings_file), std::move(options));
}

double metric_value(at::Tensor const& metric) {
  if (!metric.defined()) throw invalid_option("metric: an undefined tensor has no value");
  if (metric.numel() != 1) {
    std::ostringstream shape;
    shape << metric.sizes();
    throw invalid_option(
        std::format("metric: a tensor of shape {} is not one number; give its mean() or item()", shape.str()));
  }
  if (metric.is_complex()) throw invalid_option("metric: a complex number cannot be better or worse");
  return metric.item().toDouble();
}

}  // namespace autotunenet
