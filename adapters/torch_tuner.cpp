module;
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/Scalar.h>
#include <torch/optim/optimizer.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <format>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <sstream>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "kept_gradients.hpp"
#include "tensor_storage.hpp"
#include "torch_fwd.hpp"

module autotunenet.torch;

namespace autotunenet {

namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

suggestion const& first_of(suggestions& pipeline) {
  suggestion const* const first = pipeline.poll();
  if (!first) throw invalid_option("the pipeline ended before its first suggestion");
  if (first->values.empty())
    throw invalid_option("the pipeline's first suggestion has no values: it must be a configuration of a search space");
  return *first;
}

void refuse_without_parameters(torch::optim::Optimizer const& optimizer) {
  for (auto const& group : optimizer.param_groups()) {
    if (!group.params().empty()) return;
  }
  throw invalid_option(
      "the optimizer has no parameters, so that it trains nothing; make it of the model's parameters()");
}

// Validations that make no objective, however often, while the optimizer's parameters stay what they are: more than
// that are no check of a loop, but of one whose rate is so low that nothing moves.
constexpr std::size_t most_checks = 8;

// A number that changes where training moves the parameters. By their values: not every optimizer moves their versions.
double mark_of(torch::optim::Optimizer const& optimizer) {
  at::NoGradGuard const no_grad;
  double sum = 0.0;
  for (auto const& group : optimizer.param_groups()) {
    for (at::Tensor const& p : group.params()) {
      if (p.defined()) sum += p.detach().to(at::kDouble).square().sum().item<double>();
    }
  }
  return sum;
}

/// What the adapter itself knows.
struct progress {
  std::uint64_t steps = 0;
  std::uint64_t lasting_steps = 0;  // of those, the ones that were not undone
  bool state_was_missing = false;
  double validation = none;  // heard since the objective
  hook objective = hook::first;
  bool failed_early = false;       // while no hook had carried a metric: yet to be told
  std::size_t checks = 0;          // validations while nothing but them had come
  std::size_t unmeasured = 0;      // the objective's metrics that were no numbers, less those that were, lately
  std::size_t others = 0;          // metrics of other hooks since the objective's last one
  event warned = event::none;      // of what people were told once, or will be
  event noticed = event::none;     // yet to be told
  double mark = none;              // of the parameters when validation was heard last
  std::vector<double> in_force{};  // in a checkpoint

  void fields(archive& a) {
    a.section("torch tuner");
    a(steps)(lasting_steps)(state_was_missing)(validation);
    a.between(objective, hook::first, hook::validation);
    a(failed_early)(checks)(unmeasured)(others)(warned)(noticed)(mark)(in_force);
  }
};

/// What `save` wrote; the last two where there is a model.
struct kept_parts {
  std::span<std::byte const> pipeline, adapter, groups, training, slots;
};

kept_parts parts_of(checkpoint const& from, bool with_model) {
  if (with_model != from.contains("autotunenet training")) {
    throw checkpoint_error(std::format("checkpoint {}: was made {} a model, and the tuner here has {}", from.name(),
                                       with_model ? "without" : "with", with_model ? "one" : "none"));
  }
  kept_parts found{.pipeline = from["autotunenet pipeline"],
                   .adapter = from["autotunenet adapter"],
                   .groups = from["autotunenet groups"],
                   .training = {},
                   .slots = {}};
  if (with_model) {
    found.training = from["autotunenet training"];
    found.slots = from["autotunenet slots"];
  }
  return found;
}

// The pipeline and the hooks must mean the same.
hook one_objective(hook of_settings, hook of_options) {
  if (of_settings == hook::first) return of_options;
  if (of_options == hook::first || of_options == of_settings) return of_settings;
  throw invalid_option(
      std::format("objective: torch_options name \"{}\", but [tuning] objective is \"{}\"; name one, or the same twice",
                  to_string(of_options), to_string(of_settings)));
}

// On a way back: the first failure is the one to tell of.
void attempt(auto&& call) noexcept {
  try {
    call();
  } catch (...) {
  }
}

}  // namespace

struct torch_tuner::state {
  suggestions pipeline;
  suggestion current;
  optimizer_values values;
  std::function<void(restoration const&)> on_restore;
  hook named_objective;
  torch::nn::Module* model;
  torch::optim::Optimizer* optimizer;
  slot_options how;
  std::optional<training_slots> slots;
  progress now{.objective = named_objective};
  bool trial_is_over = false;  // the one that the last suggestion is of

  state(torch::optim::Optimizer& tuned, suggestions from, torch_options options)
      : pipeline(options.watched_by ? std::move(from) | watch(*options.watched_by) : std::move(from)),
        current(first_of(pipeline)),
        values(tuned, current.values.space(), std::move(options.setters)),
        on_restore(std::move(options.on_restore)),
        named_objective(options.objective),
        model(options.model),
        optimizer(&tuned),
        how{.random_engine = options.random_engine,
            .budget = options.snapshot_budget,
            .folder = lasting_folder(options.snapshot_folder),
            .snapshots = options.snapshots,
            .also = std::move(options.also)} {
    refuse_without_parameters(tuned);
    if (!model && !how.also.empty())
      throw invalid_option(
          "also: without a model no optimizer's state is put back; give the model too, or leave it out");
    if (model) slots.emplace(*model, tuned, how);
    if (named_objective == hook::first) now.mark = mark_of(tuned);
  }

  // Weights may be looked at where training failed, for that costs.
  void apply(bool look_at_weights = false) {
    slots_report report;
    if (slots) report = slots->carry_out(current.state, now.lasting_steps);
    if (slots && look_at_weights && !training_snapshot::finite(*model)) slots->return_to_finite(report);
    now.state_was_missing = !report.complete;
    // What came back with a further optimizer is not what its setter was given last.
    if (report.returned != training_state::keep && !how.also.empty()) values.doubt_setters();
    tell_of_return(report);
    values.apply(current.values);
  }

  void tell_of_return(slots_report const& report) {
    if (report.returned == training_state::keep) return;
    auto const undone =
        static_cast<std::int64_t>(std::exchange(now.lasting_steps, report.marked_at) - report.marked_at);
    if (on_restore) on_restore({.what = report.returned, .marked_at = report.marked_at, .steps_undone = undone});
  }

  void finish() {
    std::stop_source ended;
    ended.request_stop();
    pipeline.stop_on(ended.get_token());
    bool const undo = slots && in_trial();
    trial_is_over = true;
    if (undo) tell_of_return(slots->leave_trial());
  }

  void tell(double metric, outcome result, bool own_stretch, bool look_at_weights = false) {
    if (pipeline.finished()) return;
    std::span<double const> const applied = values.read();
    if (values.overridden()) now.noticed |= event::overridden;
    pipeline.tell({.metric = metric,
                   .result = result,
                   .number = current.number,
                   .applied = applied,
                   .steps = own_stretch ? 1.0 : 0.0,
                   .restorable = slots && !now.state_was_missing,
                   .validation = std::exchange(now.validation, none),
                   .covers = now.objective == hook::step ? coverage::step : coverage::epoch,
                   .noticed = std::exchange(now.noticed, event::none)});
    suggestion const* const next = pipeline.poll();
    if (!next) return;
    current = *next;
    apply(look_at_weights);
  }

  void save(checkpoint_store& to, std::span<checkpoint_part const> own) {
    std::span<double const> const in_force = values.read();
    now.in_force.assign(in_force.begin(), in_force.end());
    std::vector<checkpoint_part> parts{{"autotunenet pipeline", autotunenet::save(pipeline)},
                                       {"autotunenet adapter", autotunenet::save(now)},
                                       {"autotunenet groups", autotunenet::save(values)}};
    if (slots) {
      parts.push_back({"autotunenet training", saved_training()});
      parts.push_back({"autotunenet slots", autotunenet::save(*slots)});
    }
    for (checkpoint_part const& one : own) {
      if (one.name.starts_with("autotunenet"))
        throw invalid_option(
            std::format("checkpoint part \"{}\": names that begin with \"autotunenet\" are taken", one.name));
      parts.push_back(one);
    }
    to.write(parts);
  }

  std::vector<std::byte> saved_training() {
    training_snapshot present(how.random_engine);
    present.save(*model, *optimizer, how.also);
    archive out;
    present.fields(out, *model, *optimizer, how.also);
    return out.release();
  }

  // What is read lies beside what there is until all of it has been accepted. First what can be put back, the pipeline
  // last: one that ends by being loaded could not be brought back to life.
  void resume(kept_parts const& from) {
    progress then;
    load(then, from.adapter);
    if (named_objective != hook::first && then.objective != named_objective)
      archive::refuse("is of a run with another objective");
    if (then.in_force.size() != values.space().size()) archive::refuse("holds values of another search space");

    std::optional<training_slots> slots_then;
    std::optional<training_snapshot> trained, before;
    if (slots) {
      load(slots_then.emplace(*model, *optimizer, how), from.slots);
      archive training(from.training);
      trained.emplace(how.random_engine, how.folder).fields(training, *model, *optimizer, how.also);
      before.emplace(how.random_engine, how.folder).save(*model, *optimizer, how.also);
    }
    std::span<double const> const in_force = values.read();
    std::vector<double> const values_before(in_force.begin(), in_force.end());
    kept_gradients const gradients(*optimizer, how.also, model);
    std::vector<std::byte> const groups_before = autotunenet::save(values);
    try {
      if (trained) trained->restore(*optimizer, true, how.also);
      load(values, from.groups);
      values.put_back(then.in_force);
      load(pipeline, from.pipeline);
    } catch (...) {
      // The way back may need memory, of which there is more without these.
      trained.reset();
      slots_then.reset();
      if (before) attempt([&] { before->restore(*optimizer, true, how.also); });
      gradients.put_back();
      attempt([&] {
        load(values, groups_before);
        values.put_back(values_before);
      });
      throw;
    }
    slots = std::move(slots_then);
    now = std::move(then);
    if (suggestion const* const pending = pipeline.poll()) current = *pending;
  }

  void count_step() {
    ++now.steps;
    ++now.lasting_steps;
    bool const first = now.steps == 1 && current.number == 1;
    if (first && slots && slots->renew_if_replaced(now.lasting_steps)) now.noticed |= event::marked_anew;
  }

  void hear(hook from, double metric) {
    if (now.objective == hook::first) {
      if (from == hook::validation && now.steps == 0 && !speaks_of_training()) return;
      now.objective = from;
    }
    bool const own = from == now.objective;
    if (named_objective == hook::first) compare_pace(own);
    if (own && std::exchange(now.failed_early, false)) return tell(none, outcome::failed, true);
    if (!std::isfinite(metric)) return hear_no_number(own, metric);
    if (own) {
      if (now.unmeasured > 0) --now.unmeasured;
      tell(metric, outcome::measured, true);
    } else if (from == hook::validation) {
      now.validation = metric;
    }
  }

  // Loops validate before they train, to see that all works; the first one after that may be of the first epoch, whose
  // own hook is yet to come.
  bool speaks_of_training() {
    double const before = std::exchange(now.mark, mark_of(*optimizer));
    bool const first = now.checks++ == 0;
    return !first && (now.mark != before || now.checks > most_checks);
  }

  void compare_pace(bool own) noexcept {
    constexpr std::size_t far_more_often = 10;
    now.others = own ? 0 : now.others + 1;
    if (now.others == far_more_often) warn(event::rare_objective);
  }

  void warn(event of) noexcept {
    if (has(now.warned, of)) return;
    now.warned |= of;
    now.noticed |= of;
  }

  // While all weights are finite training has not failed: one batch of bad data is not worth what a rollback undoes.
  void hear_no_number(bool own, double metric) {
    bool const whole = model && training_snapshot::finite(*model);
    if (whole && (!own || now.unmeasured < most_unmeasured())) {
      warn(event::not_measured);
      if (!own) return;
      ++now.unmeasured;
      return tell(none, outcome::skipped, true);
    }
    if (own) now.unmeasured = 0;
    tell(metric, outcome::failed, own, !whole);
  }

  // In a row, or where about as many metrics are numbers, before it is a failure. What a trial tries out may make the
  // metric overflow before the weights do, and is soon over.
  std::size_t most_unmeasured() const noexcept {
    std::size_t const usual = now.objective == hook::step ? 4 : 2;
    return in_trial() ? usual / 2 : usual;
  }

  bool in_trial() const noexcept { return current.why == reason::range_test && !trial_is_over; }

  // Before any metric nothing says how much of the run has failed. Two in a row are an epoch: a step would most likely
  // have told of its loss first.
  void fail() {
    bool const open = now.objective == hook::first;
    if (open && !std::exchange(now.failed_early, !now.failed_early)) return;
    tell(none, outcome::failed, open || now.objective == hook::step);
  }
};

torch_tuner::torch_tuner(torch::optim::Optimizer& optimizer, suggestions pipeline, torch_options options)
    : state_(std::make_unique<state>(optimizer, std::move(pipeline), std::move(options))) {
  state_->apply();
}
torch_tuner::torch_tuner(torch_tuner&&) noexcept = default;
torch_tuner& torch_tuner::operator=(torch_tuner&&) noexcept = default;
torch_tuner::~torch_tuner() = default;

void torch_tuner::on_step_end() { state_->count_step(); }
void torch_tuner::on_step_end(double metric) {
  state_->count_step();
  state_->hear(hook::step, metric);
}
void torch_tuner::on_step_end(at::Tensor const& metric) { on_step_end(metric_value(metric)); }
void torch_tuner::on_epoch_end(double metric) { state_->hear(hook::epoch, metric); }
void torch_tuner::on_epoch_end(at::Tensor const& metric) { on_epoch_end(metric_value(metric)); }
void torch_tuner::on_validation_end(double metric) { state_->hear(hook::validation, metric); }
void torch_tuner::on_validation_end(at::Tensor const& metric) { on_validation_end(metric_value(metric)); }
void torch_tuner::on_failure() { state_->fail(); }
void torch_tuner::finish() { state_->finish(); }

void torch_tuner::save(checkpoint_store& to, std::span<checkpoint_part const> own) { state_->save(to, own); }
void torch_tuner::resume(checkpoint const& from) {
  kept_parts const parts = parts_of(from, state_->slots.has_value());
  try {
    state_->resume(parts);
  } catch (error const& why) {
    throw checkpoint_error(std::format("checkpoint {}: {}", from.name(), why.what()));
  }
}

suggestion const& torch_tuner::current() const noexcept { return state_->current; }
std::span<double const> torch_tuner::applied() { return state_->values.read(); }
hook torch_tuner::objective() const noexcept { return state_->now.objective; }
bool torch_tuner::in_trial() const noexcept { return state_->in_trial(); }
bool torch_tuner::finished() const noexcept { return state_->pipeline.finished(); }
bool torch_tuner::restorable() const noexcept { return state_->slots.has_value(); }
std::uint64_t torch_tuner::steps() const noexcept { return state_->now.steps; }
double torch_tuner::snapshot_seconds() const noexcept { return state_->slots ? state_->slots->seconds() : 0.0; }

torch_tuner tune(torch::optim::Optimizer& optimizer, settings const& chosen, torch_options options) {
  settings agreed = chosen;
  agreed.tuning.objective = options.objective = one_objective(chosen.tuning.objective, options.objective);
  auto pipeline = make_pipeline(agreed, current_values(optimizer, parameters_of(chosen), options.setters));
  return {optimizer, std::move(pipeline), std::move(options)};
}

torch_tuner tune(torch::optim::Optimizer& optimizer, std::filesystem::path const& settings_file,
                 torch_options options) {
  placed_settings const read = read_placed_settings(settings_file);
  try {
    parameters_of(read.chosen);
  } catch (invalid_option const& missing) {
    throw settings_error(read.file, {{.text = missing.what()}});
  }
  try {
    return tune(optimizer, read.chosen, std::move(options));
  } catch (invalid_option const& error) {
    read.refuse_parameter(error);
    throw;
  }
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
