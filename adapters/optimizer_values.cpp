module;
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <format>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "group_setting.hpp"

module autotunenet.torch;

namespace autotunenet {

using torch::optim::Optimizer;

namespace {

/// One parameter of the space. In the space a category is an index; everywhere else it is the number it stands for.
struct binding {
  std::size_t parameter;
  std::vector<double> choices;

  double meant(double native) const { return choices.empty() ? native : choices[static_cast<std::size_t>(native)]; }
  double native(double meant) const {
    if (choices.empty()) return meant;
    auto const distance = [&](double choice) { return std::abs(choice - meant); };
    return static_cast<double>(std::ranges::min_element(choices, {}, distance) - choices.begin());
  }

  static binding to(search_space const& space, std::size_t i) {
    binding made{i, {}};
    if (auto const* kind = std::get_if<categorical>(&space[i])) {
      for (category const& choice : kind->choices) {
        auto const* number = std::get_if<double>(&choice);
        made.choices.push_back(number ? *number : static_cast<double>(made.choices.size()));
      }
    }
    return made;
  }
};

struct group_binding : binding {
  group_setting how;
};

struct setter_binding : binding {
  setter how;
  std::optional<double> last;
  std::optional<double> former;  // while values are being applied
  bool doubted = false;          // whether `last` is still what there is

  std::optional<double> present() const { return how.get ? how.get() : last; }
};

}  // namespace

struct optimizer_values::state {
  Optimizer* optimizer;
  search_space space;
  std::vector<group_binding> of_groups;
  std::vector<setter_binding> of_setters;
  std::vector<double> in_effect;

  void bind(std::size_t i, std::span<setter const> setters, std::span<std::string_view const> setter_names);
  void refuse_overlap() const;
  void check(std::span<double const> values) const;
  bool call_setters(std::span<double const> values);
  bool write_groups(std::span<double const> values);
};

namespace {

void check_setters(std::span<setter const> setters, search_space const& space) {
  std::vector<std::string_view> known;
  for (std::size_t i = 0; i < space.size(); ++i) known.push_back(name_of(space[i]));
  for (setter const& s : setters) {
    if (!s.set) throw invalid_option(std::format("setter \"{}\": has no function", s.name));
    if (!space.find(s.name)) {
      throw invalid_option(
          std::format("setter \"{}\": the search space has no such parameter{}", s.name, did_you_mean(s.name, known)));
    }
    if (std::ranges::count(setters, s.name, &setter::name) > 1) {
      throw invalid_option(std::format("setter \"{}\" is given twice", s.name));
    }
  }
}

bool has_words(parameter const& p) {
  auto const* kind = std::get_if<categorical>(&p);
  return kind &&
         std::ranges::any_of(kind->choices, [](category const& c) { return std::holds_alternative<std::string>(c); });
}

}  // namespace

void optimizer_values::state::bind(std::size_t i, std::span<setter const> setters,
                                   std::span<std::string_view const> setter_names) {
  std::string const& name = name_of(space[i]);
  if (auto const own = std::ranges::find(setters, name, &setter::name); own != setters.end()) {
    of_setters.push_back({binding::to(space, i), *own, {}, {}, false});
    return;
  }
  group_binding made{binding::to(space, i), group_setting(*optimizer, name, setter_names)};
  if (has_words(space[i])) {
    throw invalid_option(std::format("parameter \"{}\": the choices for {} must be numbers", name, made.how.setting()));
  }
  // What the space allows must suit the optimizer, or a run would end at the first unlucky suggestion.
  for (double const choice : made.choices) made.how.check(*optimizer, choice);
  if (made.choices.empty()) {
    double const min = space.from_unit(i, 0.0), max = space.from_unit(i, 1.0);
    made.how.bound(min, max);
    made.how.check(*optimizer, min);
    made.how.check(*optimizer, max);
  }
  of_groups.push_back(std::move(made));
}

void optimizer_values::state::refuse_overlap() const {
  for (group_binding const& all : of_groups) {
    for (group_binding const& one : of_groups) {
      if (!all.how.only() && one.how.only() && all.how.setting() == one.how.setting()) {
        throw invalid_option(
            std::format("parameter \"{}\": group {} is set by \"{}\" too; name all groups at once, or each by itself",
                        one.how.name(), *one.how.only(), all.how.name()));
      }
    }
  }
}

void optimizer_values::state::check(std::span<double const> values) const {
  if (values.size() != space.size()) {
    throw invalid_option(
        std::format("{} values given for a search space of {} parameters", values.size(), space.size()));
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i]) && (!space.is_categorical(i) || space.contains(i, values[i]))) continue;
    throw invalid_option(std::format("parameter \"{}\": {} is not allowed; it must be {}", name_of(space[i]), values[i],
                                     space.is_categorical(i) ? "the index of a choice" : "finite"));
  }
}

bool optimizer_values::state::call_setters(std::span<double const> values) {
  for (setter_binding& b : of_setters) b.former = b.present();
  bool changed = false;
  std::size_t done = 0;
  try {
    for (; done < of_setters.size(); ++done) {
      setter_binding& b = of_setters[done];
      double const value = b.meant(values[b.parameter]);
      if (b.former != value || b.doubted) {
        b.how.set(value);
        changed = true;
      }
      b.last = value;
      b.doubted = false;
    }
  } catch (...) {
    for (setter_binding& b : std::span(of_setters).first(done)) {
      if (b.former == b.last) continue;
      b.last = b.former;
      try {
        if (b.former) b.how.set(*b.former);
      } catch (...) {  // the first failure is the one to tell of
      }
    }
    throw;
  }
  return changed;
}

bool optimizer_values::state::write_groups(std::span<double const> values) {
  bool changed = false;
  for (group_binding& b : of_groups) changed = b.how.write(*optimizer, b.meant(values[b.parameter])) || changed;
  return changed;
}

optimizer_values::optimizer_values(Optimizer& optimizer, search_space space, std::vector<setter> setters)
    : state_(new state{&optimizer, std::move(space), {}, {}, {}}) {
  check_setters(setters, state_->space);
  std::vector<std::string_view> names;
  for (setter const& s : setters) names.push_back(s.name);
  for (std::size_t i = 0; i < state_->space.size(); ++i) state_->bind(i, setters, names);
  state_->refuse_overlap();
  state_->in_effect.resize(state_->space.size());
}
optimizer_values::optimizer_values(optimizer_values&&) noexcept = default;
optimizer_values& optimizer_values::operator=(optimizer_values&&) noexcept = default;
optimizer_values::~optimizer_values() = default;

bool optimizer_values::apply(configuration const& values) {
  if (values.empty()) throw invalid_option("a configuration without values cannot be applied");
  if (!(values.space() == state_->space))
    throw invalid_option("a configuration of another search space cannot be applied");
  return apply(values.values());
}

bool optimizer_values::apply(std::span<double const> values) {
  state_->check(values);
  for (group_binding& b : state_->of_groups) b.how.check(*state_->optimizer, b.meant(values[b.parameter]));
  for (group_binding const& b : state_->of_groups) b.how.prepare(*state_->optimizer, b.meant(values[b.parameter]));
  bool const called = state_->call_setters(values);
  return state_->write_groups(values) || called;
}

std::span<double const> optimizer_values::read() {
  for (group_binding& b : state_->of_groups) state_->in_effect[b.parameter] = b.native(b.how.read(*state_->optimizer));
  for (setter_binding const& b : state_->of_setters) {
    auto const present = b.present();
    state_->in_effect[b.parameter] = present ? b.native(*present) : state_->space.from_unit(b.parameter, 0.5);
  }
  return state_->in_effect;
}

bool optimizer_values::overridden() const noexcept {
  return std::ranges::any_of(state_->of_groups, [](group_binding const& b) { return b.how.overridden(); });
}

void optimizer_values::fields(archive& a) {
  a.section("parameter groups");
  for (group_binding& b : state_->of_groups) b.how.fields(a);
}

void optimizer_values::put_back(std::span<double const> values) {
  state_->check(values);
  for (group_binding const& b : state_->of_groups) b.how.prepare_to_put_back(*state_->optimizer);
  state_->call_setters(values);
  for (group_binding const& b : state_->of_groups) b.how.put_back(*state_->optimizer);
}

void optimizer_values::doubt_setters() noexcept {
  for (setter_binding& b : state_->of_setters) b.doubted = !b.how.get;
}

search_space const& optimizer_values::space() const noexcept { return state_->space; }

configuration current_values(Optimizer const& optimizer, search_space const& space,
                             std::vector<setter> const& setters) {
  configuration values = space.center();
  for (std::size_t i = 0; i < space.size(); ++i) {
    std::string const& name = name_of(space[i]);
    binding const b = binding::to(space, i);
    if (auto const own = std::ranges::find(setters, name, &setter::name); own != setters.end()) {
      if (own->get) values.assign(i, b.native(own->get()));
    } else if (group_setting::exists(optimizer, name)) {
      values.assign(i, b.native(group_setting(optimizer, name).read(optimizer)));
    }
  }
  return values;
}

}  // namespace autotunenet
