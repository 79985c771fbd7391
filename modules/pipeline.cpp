module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

module autotunenet;

namespace autotunenet {

namespace {

// The part of the horizon in which the learning rate rises: first steps are the most fragile.
constexpr double rise = 0.02;

suggestions make_tuner(settings const& given, search_space const& space, configuration start,
                       std::pmr::memory_resource* memory) {
  std::uint64_t const seed = given.tuning.seed;
  switch (given.tuning.tuner) {
    case tuner_kind::tpe:
      return tpe(space, {.seed = seed, .start = std::move(start)}, memory);
    case tuner_kind::random:
      return quasi_random(space, {.seed = seed, .start = std::move(start)}, memory);
    case tuner_kind::bayesian:
      break;
  }
  return bayesian(space, {.seed = seed, .start = std::move(start)}, memory);
}

/// The real parameters that a name means: "lr" means itself, or "group0.lr" and the others.
std::vector<real const*> meant_by(std::string const& name, search_space const& space) {
  std::vector<real const*> found;
  std::string const ending = "." + name;
  for (std::size_t i = 0; i < space.size(); ++i) {
    auto const* p = std::get_if<real>(&space[i]);
    if (p && (p->name == name || p->name.ends_with(ending))) found.push_back(p);
  }
  return found;
}

}  // namespace

suggestions make_pipeline(settings const& given, configuration start, std::pmr::memory_resource* memory) {
  check(given);
  if (!given.parameters && start.empty()) {
    throw invalid_option(
        "[parameters] is missing: name what should be tuned, for example lr = { min = 1e-5, max = 0.1 }");
  }
  search_space const space = given.parameters ? *given.parameters : start.space();
  if (start.empty()) start = space.center();
  if (!(start.space() == space)) {
    throw invalid_option("the configuration to start with belongs to another search space than [parameters]");
  }

  tuning_settings const& t = given.tuning;
  auto const rates = meant_by(t.learning_rate, space);
  suggestions made = make_tuner(given, space, std::move(start), memory);
  if (std::size_t const stride = tuning_stride(given); stride > 1) made = std::move(made) | every(stride, memory);
  if (given.metrics.smoothing_window > 1) {
    made =
        std::move(made) | smooth({.window = given.metrics.smoothing_window, .kind = given.metrics.smoothing}, memory);
  }
  if (t.anneal != annealing::none) {
    for (real const* rate : rates) {
      made = std::move(made) |
             anneal({.parameter = rate->name, .horizon = t.horizon, .shape = t.anneal, .rise = rise}, memory);
    }
  }
  bool const sweep = t.range_test && (t.horizon > 0 || t.objective == hook::step);
  if (sweep && rates.size() == 1 && rates.front()->spacing == scale::log) {
    made = std::move(made) | branch_test({.parameter = rates.front()->name, .horizon = t.horizon}, memory) |
           range_test({.parameter = rates.front()->name, .horizon = t.horizon}, memory);
  }
  made = std::move(made) | guard(guard_from(given), memory);
  if (t.direction == goal::maximize) made = std::move(made) | maximize(memory);
  return made;
}

}  // namespace autotunenet
