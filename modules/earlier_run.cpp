module;
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <format>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

module autotunenet;

namespace autotunenet {

namespace {

/// Where the values of one parameter come from.
struct source {
  std::size_t index;                 // in the earlier space
  std::vector<double> categories{};  // of the earlier ones, in the new space; NaN for one that is gone
};

std::vector<double> categories_in(categorical const& now, categorical const& before) {
  std::vector<double> found;
  for (category const& choice : before.choices) {
    auto const at = std::ranges::find(now.choices, choice);
    found.push_back(at == now.choices.end() ? std::nan("") : static_cast<double>(at - now.choices.begin()));
  }
  return found;
}

std::vector<std::optional<source>> sources(search_space const& now, search_space const& before) {
  std::vector<std::optional<source>> all(now.size());
  std::string names;
  bool any = false;
  for (std::size_t i = 0; i < now.size(); ++i) {
    std::string const& name = name_of(now[i]);
    names += (i == 0 ? "" : ", ") + name;
    auto const index = before.find(name);
    if (!index) continue;
    parameter const& then = before[*index];
    if (now[i].index() != then.index()) {
      throw invalid_option(std::format(
          "the earlier run's parameter \"{}\" was of another kind: real, integer and categorical must agree", name));
    }
    all[i] = source{*index};
    if (auto const* kind = std::get_if<categorical>(&now[i])) {
      all[i]->categories = categories_in(*kind, std::get<categorical>(then));
    }
    any = true;
  }
  if (!any) throw invalid_option(std::format("the earlier run tuned none of the parameters {}", names));
  return all;
}

double value_of(source const& from, earlier_step const& step, double otherwise) {
  double value = step.applied[from.index];
  if (!from.categories.empty()) {
    bool const known = value >= 0.0 && value < static_cast<double>(from.categories.size());
    value = known ? from.categories[static_cast<std::size_t>(value)] : std::nan("");
  }
  return std::isfinite(value) ? value : otherwise;
}

}  // namespace

std::vector<earlier_stretch> translate(earlier_run const& from, configuration const& start) {
  auto const where = sources(start.space(), from.space);
  std::vector<earlier_stretch> all;
  double in_trials = 0.0;
  for (std::size_t n = 0; n < from.steps.size(); ++n) {
    earlier_step const& step = from.steps[n];
    if (step.applied.size() != from.space.size()) {
      throw invalid_option(std::format("step {} of the earlier run holds {} values; its search space has {} parameters",
                                       n, step.applied.size(), from.space.size()));
    }
    double const steps = counted_steps(step.steps);
    if (step.why == reason::range_test) {
      in_trials += steps;
      continue;
    }
    earlier_stretch& told = all.emplace_back();
    for (std::size_t i = 0; i < where.size(); ++i) {
      told.applied.push_back(where[i] ? value_of(*where[i], step, start[i]) : start[i]);
    }
    bool const taken_back =
        n + 1 < from.steps.size() && has(from.steps[n + 1].events, event::rolled_back | event::backed_off);
    told.metric = step.metric;
    told.result = taken_back ? outcome::failed : step.result;
    told.noise = step.noise;
    told.steps = steps + std::exchange(in_trials, 0.0);
    told.covers = step.covers;
    told.relocated = has(step.events, event::range_test_ended);
    told.validation = step.validation;
  }
  return all;
}

}  // namespace autotunenet
