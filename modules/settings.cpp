module;
#include <cstddef>
#include <cstdint>
#include <format>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

module autotunenet;

import :settings_keys;

namespace autotunenet {

namespace {

std::size_t rounded_up(std::size_t steps, std::size_t per_epoch) { return (steps + per_epoch - 1) / per_epoch; }

}  // namespace

void check(settings const& given) {
  for (setting_key const& key : setting_keys()) {
    setting_value const value = key.get(given);
    if (!within_limits(key, value)) {
      throw invalid_option(std::format("[{}] {}: {} is not allowed; allowed: {}", key.section, key.name,
                                       written(key, value), allowed_text(key)));
    }
  }
  warm_up_observations(given);
}

search_space const& parameters_of(settings const& given) {
  if (given.parameters) return *given.parameters;
  throw invalid_option(
      "[parameters] is missing: name what should be tuned, for example lr = { min = 1e-5, max = 0.1 }");
}

std::size_t warm_up_observations(settings const& given) {
  tuning_settings const& t = given.tuning;
  if (t.warmup_epochs == 0 && t.warmup_steps == 0) return 0;
  std::string_view const key = t.warmup_epochs > 0 ? "warmup_epochs" : "warmup_steps";
  std::size_t const value = t.warmup_epochs > 0 ? t.warmup_epochs : t.warmup_steps;
  if (t.objective == hook::first) {
    throw invalid_option(std::format(
        "[tuning] {}: {} cannot be counted while it is open which hook brings the metric; set objective = \"step\", "
        "\"epoch\" or \"validation\"",
        key, value));
  }
  bool const stepwise = t.objective == hook::step;
  if (t.steps_per_epoch == 0 && (stepwise ? t.warmup_epochs : t.warmup_steps) > 0) {
    throw invalid_option(
        std::format("[tuning] {}: {} {} with objective = \"{}\" cannot be counted; set steps_per_epoch",
                    stepwise ? "warmup_epochs" : "warmup_steps", stepwise ? t.warmup_epochs : t.warmup_steps,
                    stepwise ? "epochs" : "steps", to_string(t.objective)));
  }
  if (stepwise) return t.warmup_steps + t.warmup_epochs * t.steps_per_epoch;
  return t.warmup_epochs + (t.warmup_steps > 0 ? rounded_up(t.warmup_steps, t.steps_per_epoch) : 0);
}

stride tuning_stride(settings const& given) noexcept {
  if (auto const n = given.tuning.tune_n_steps) return {*n, *n};
  constexpr std::size_t steps = 20;
  hook const objective = given.tuning.objective;
  bool const open = objective == hook::first;
  return {.of_steps = open || objective == hook::step ? steps : 1, .of_epochs = objective == hook::step ? steps : 1};
}

guard_options guard_from(settings const& given) {
  check(given);
  guard_options made;
  made.warm_up = warm_up_observations(given);
  if (given.tuning.warmup_metric_threshold) {
    double const threshold = *given.tuning.warmup_metric_threshold;
    made.warm_up_metric = given.tuning.direction == goal::maximize ? -threshold : threshold;
  }
  made.max_delta = given.tuning.max_delta;
  made.safety = {given.tuning.learning_rate};
  made.max_regression = given.stability.max_regression;
  made.window = given.stability.window;
  made.patience = given.stability.patience;
  made.cooldown = given.stability.cooldown;
  made.back_off = given.stability.back_off;
  made.rollback = given.stability.rollback;
  if (!given.stability.enabled) made.max_regression = std::numeric_limits<double>::infinity();
  return made;
}

std::vector<setting_row> settings_reference() {
  std::vector<setting_row> rows;
  for (parameter_key const& key : parameter_keys()) {
    rows.push_back({"parameters", key.name, std::string(key.allowed), std::string(key.preset), key.meaning});
  }
  settings const preset;
  for (setting_key const& key : setting_keys()) {
    rows.push_back({key.section, key.name, allowed_text(key), written(key, key.get(preset)), key.meaning});
  }
  return rows;
}

}  // namespace autotunenet
