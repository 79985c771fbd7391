module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <format>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

module autotunenet;

import :parameter_name;

namespace autotunenet {

namespace {

// The part of the horizon in which the learning rate rises: first steps are the most fragile.
constexpr double rise = 0.02;

suggestions make_tuner(settings const& given, search_space const& space, configuration start,
                       std::vector<earlier_stretch> earlier, std::pmr::memory_resource* memory) {
  std::uint64_t const seed = given.tuning.seed;
  switch (given.tuning.tuner) {
    case tuner_kind::tpe:
      return tpe(space, {.seed = seed, .start = std::move(start)}, memory);
    case tuner_kind::random:
      return quasi_random(space, {.seed = seed, .start = std::move(start)}, memory);
    case tuner_kind::bayesian:
      break;
  }
  return bayesian(space, {.seed = seed, .start = std::move(start), .earlier = std::move(earlier)}, memory);
}

/// What the pipeline begins with: the given start, else the center of the space.
configuration checked_start(settings const& given, configuration start) {
  check(given);
  if (start.empty()) return parameters_of(given).center();
  if (given.parameters && !(start.space() == *given.parameters)) {
    throw invalid_option("the configuration to start with belongs to another search space than [parameters]");
  }
  return start;
}

/// The real parameters that a name means.
std::vector<real const*> meant_by(std::string const& name, search_space const& space) {
  std::vector<real const*> found;
  for (std::size_t i = 0; i < space.size(); ++i) {
    auto const* p = std::get_if<real>(&space[i]);
    if (p && means(name, p->name)) found.push_back(p);
  }
  return found;
}

/// Whether the space has what is called the learning rate. It may well have none, but not one of another name.
bool has_learning_rate(std::string const& name, search_space const& space) {
  auto const missing = not_among(space, name);
  if (missing && name != tuning_settings{}.learning_rate)
    throw invalid_option(std::format("[tuning] learning_rate: \"{}\"{}", name, *missing));
  return !missing;
}

/// The stages between what is observed and what a tuner is told.
suggestions summarised(suggestions made, settings const& given, std::vector<real const*> const& rates,
                       std::size_t horizon, std::pmr::memory_resource* memory) {
  if (stride const n = tuning_stride(given); n.of_steps > 1 || n.of_epochs > 1)
    made = std::move(made) | every(n, memory);
  if (given.metrics.smoothing_window > 1) {
    made =
        std::move(made) | smooth({.window = given.metrics.smoothing_window, .kind = given.metrics.smoothing}, memory);
  }
  if (given.tuning.anneal == annealing::none) return made;
  for (real const* rate : rates) {
    made = std::move(made) | anneal({.parameter = rate->name,
                                     .horizon = horizon,
                                     .shape = given.tuning.anneal,
                                     .rise = rise,
                                     .return_to_best = given.stability.rollback == rollback_scope::full},
                                    memory);
  }
  return made;
}

/// The stages that find the learning rate by trials: by those that the metric of each step allows, and by those for the
/// few metrics of epochs and validations. Where settings do not say which it will be, the first observation does.
suggestions located(suggestions made, tuning_settings const& given, std::pmr::memory_resource* memory) {
  std::string const& rate = given.learning_rate;
  bool const coarse = given.objective == hook::epoch || given.objective == hook::validation;
  if (!coarse) {
    range_test_options const search{.parameter = rate, .horizon = given.horizon};
    // A run pays for branches or for pilots.
    std::size_t const branched = given.horizon >= search.long_run ? given.horizon : 0;
    made = std::move(made) | branch_test({.parameter = rate, .horizon = branched}, memory);
    made = std::move(made) | range_test(search, memory);
  }
  if (given.objective == hook::step) return made;
  return std::move(made) | bracket({.parameter = rate, .horizon = given.horizon, .always = coarse}, memory);
}

suggestions build(settings const& given, configuration start, std::vector<earlier_stretch> earlier,
                  std::pmr::memory_resource* memory) {
  search_space const space = start.space();
  tuning_settings const& t = given.tuning;
  bool const none = !has_learning_rate(t.learning_rate, space);
  auto const rates = meant_by(t.learning_rate, space);
  suggestions made = make_tuner(given, space, std::move(start), std::move(earlier), memory);
  made = summarised(std::move(made), given, rates, t.horizon, memory);
  bool const positive = std::ranges::all_of(rates, [](real const* rate) { return rate->max > 0.0; });
  if (t.range_test && positive && (none || !rates.empty())) made = located(std::move(made), t, memory);
  made = std::move(made) | guard(guard_from(given), memory);
  if (t.direction == goal::maximize) made = std::move(made) | maximize(memory);
  return made;
}

/// A tuner that only listens.
struct listener {
  std::vector<earlier_stretch>* heard;
  suggestion pending;

  suggestion const& ask() {
    ++pending.number;
    return pending;
  }
  void tell(observation const& seen) {
    heard->push_back({.applied = {seen.applied.begin(), seen.applied.end()},
                      .metric = seen.metric,
                      .result = seen.result,
                      .noise = seen.noise,
                      .steps = seen.steps,
                      .relocated = seen.relocated});
  }
};

}  // namespace

suggestions make_pipeline(settings const& given, configuration start, std::pmr::memory_resource* memory) {
  return build(given, checked_start(given, std::move(start)), {}, memory);
}

suggestions make_pipeline(settings const& given, configuration start, earlier_run const& earlier,
                          std::pmr::memory_resource* memory) {
  start = checked_start(given, std::move(start));
  if (given.tuning.tuner != tuner_kind::bayesian) {
    throw invalid_option("[tuning] tuner: only \"bayesian\" can begin with what an earlier run learned");
  }
  return build(given, start, stretches(given, start, earlier), memory);
}

std::vector<earlier_stretch> stretches(settings const& given, configuration const& start, earlier_run const& earlier) {
  check(given);
  std::vector<earlier_stretch> heard;
  std::size_t const horizon = given.tuning.horizon == 0 ? 0
                              : earlier.horizon > 0     ? earlier.horizon
                                                        : earlier.steps.size();
  suggestions made = summarised(drive(listener{&heard, {.values = start}}), given,
                                meant_by(given.tuning.learning_rate, start.space()), horizon, nullptr);
  if (given.tuning.direction == goal::maximize) made = std::move(made) | maximize();
  for (earlier_stretch const& then : translate(earlier, start)) {
    made.ask();
    made.tell({.metric = then.metric,
               .result = then.result,
               .applied = then.applied,
               .noise = then.noise,
               .steps = then.steps,
               .validation = then.validation,
               .covers = then.covers,
               .relocated = then.relocated});
  }
  return heard;
}

}  // namespace autotunenet
