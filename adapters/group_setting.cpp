#include "group_setting.hpp"

#include <torch/optim/optimizer.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <format>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

import autotunenet;

namespace autotunenet {

using torch::optim::Optimizer;

namespace {

struct parsed_name {
  std::string_view setting;
  std::optional<std::size_t> group;

  explicit parsed_name(std::string_view name) : setting(name) {
    constexpr std::string_view prefix = "group";
    if (!name.starts_with(prefix)) return;
    char const* const end = name.data() + name.size();
    std::size_t number = 0;
    auto const [rest, failure] = std::from_chars(name.data() + prefix.size(), end, number);
    if (failure != std::errc{} || rest == end || *rest != '.') return;
    group = number;
    setting = std::string_view(rest + 1, end);
  }
};

optimizer_kind const& kind_in(Optimizer const& optimizer, std::size_t group) {
  return kind_of(optimizer.param_groups()[group].options());
}

hyperparameter const* find(Optimizer const& optimizer, parsed_name const& name) {
  if (name.group.value_or(0) >= optimizer.param_groups().size()) return nullptr;
  auto const known = kind_in(optimizer, name.group.value_or(0)).hyperparameters;
  auto const found = std::ranges::find(known, name.setting, &hyperparameter::name);
  return found == known.end() ? nullptr : &*found;
}

/// The name of a setting in LibTorch, where it goes by another one elsewhere; else the name itself, in small letters.
std::string usual(std::string_view name) {
  std::string small(name);
  for (char& c : small) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (small == "learning_rate" || small == "learningrate" || small == "learning-rate") return "lr";
  if (small == "wd" || small == "l2") return "weight_decay";
  return small;
}

[[noreturn]] void refuse_unknown(Optimizer const& optimizer, std::string const& name,
                                 std::span<std::string_view const> others) {
  parsed_name const wanted(name);
  std::size_t const groups = optimizer.param_groups().size();
  if (groups == 0) throw invalid_option(std::format("parameter \"{}\": the optimizer has no parameter groups", name));
  if (wanted.group && *wanted.group >= groups) {
    throw invalid_option(
        std::format("parameter \"{}\": the optimizer has {} parameter group{}, the last one is \"group{}\"", name,
                    groups, groups == 1 ? "" : "s", groups - 1));
  }
  optimizer_kind const& kind = kind_in(optimizer, wanted.group.value_or(0));
  std::vector<std::string_view> known(others.begin(), others.end());
  std::string list;
  for (hyperparameter const& h : kind.hyperparameters) {
    list += std::format("{}\"{}\"", list.empty() ? "" : ", ", h.name);
    known.push_back(h.name);
  }
  std::string hint = did_you_mean(usual(wanted.setting), known);
  if (!hint.starts_with("; did you mean")) hint.clear();
  throw invalid_option(
      std::format("parameter \"{}\": {} has {}, and no setter has this name{}", name, kind.name, list, hint));
}

}  // namespace

bool group_setting::exists(Optimizer const& optimizer, std::string_view name) {
  return find(optimizer, parsed_name(name)) != nullptr;
}

group_setting::group_setting(Optimizer const& optimizer, std::string name, std::span<std::string_view const> others)
    : name_(std::move(name)), what_(find(optimizer, parsed_name(name_))), only_(parsed_name(name_).group) {
  if (!what_) refuse_unknown(optimizer, name_, others);
  meet(optimizer);
  if (only_) {
    reference_ = *only_;
  } else if (what_->proportional) {
    auto const moving = std::ranges::find_if(own_, [](double value) { return value != 0.0; });
    reference_ = moving == own_.end() ? 0 : static_cast<std::size_t>(moving - own_.begin());
  } else if (auto const other = std::ranges::find_if(own_, [&](double v) { return v != own_[0]; });
             other != own_.end()) {
    throw invalid_option(std::format(
        "parameter \"{}\": the groups disagree, {} in group 0 but {} in group {}; name one group, \"group0.{}\"", name_,
        own_[0], *other, other - own_.begin(), what_->name));
  }
}

// Groups that come later too: adding them is how a network is thawed layer by layer.
void group_setting::meet(Optimizer const& optimizer) {
  auto const& groups = optimizer.param_groups();
  if (own_.size() > groups.size()) {
    throw invalid_option(std::format("parameter \"{}\": the optimizer had {} parameter groups and now has {}", name_,
                                     own_.size(), groups.size()));
  }
  for (std::size_t g = own_.size(); g < groups.size(); ++g) {
    if (&kind_in(optimizer, g) != &kind_in(optimizer, 0)) {
      throw invalid_option(
          std::format("parameter \"{}\": group {} has the options of another optimizer than group 0", name_, g));
    }
    own_.push_back(what_->get(groups[g].options()));
  }
}

// A group's own value comes back to the bit where the reference has its own again.
double group_setting::target(std::size_t group, double value) const noexcept {
  double const base = own_[reference_];
  if (only_ || !what_->proportional || base == 0.0) return value;
  return value == base ? own_[group] : value * (own_[group] / base);
}

void group_setting::check(Optimizer const& optimizer, double value) {
  auto const& groups = optimizer.param_groups();
  if (own_.size() != groups.size()) meet(optimizer);
  for (std::size_t g = first(); g < last(); ++g) {
    allowed_range const allowed = what_->allowed(groups[g].options());
    double const meant = target(g, value);
    if (allowed.contains(meant)) continue;
    throw invalid_option(std::format("parameter \"{}\": {} is not allowed for group {} of {}; {} must be {}", name_,
                                     meant, g, kind_in(optimizer, g).name, what_->name, allowed.text));
  }
}

void group_setting::prepare(Optimizer& optimizer, double value) const {
  if (!what_->has_velocity) return;
  for (std::size_t g = first(); g < last(); ++g) {
    auto const& group = optimizer.param_groups()[g];
    if (what_->get(group.options()) == 0.0 && target(g, value) != 0.0) begin_velocity(optimizer, group);
  }
}

bool group_setting::write(Optimizer& optimizer, double value) const {
  bool changed = false;
  for (std::size_t g = first(); g < last(); ++g) {
    auto& group = optimizer.param_groups()[g];
    double const meant = target(g, value);
    if (what_->get(group.options()) == meant) continue;
    what_->set(group.options(), meant);
    changed = true;
  }
  return changed;
}

double group_setting::read(Optimizer const& optimizer) const {
  auto const& groups = optimizer.param_groups();
  if (reference_ >= groups.size()) {
    throw invalid_option(
        std::format("parameter \"{}\": the optimizer now has only {} parameter groups", name_, groups.size()));
  }
  return what_->get(groups[reference_].options());
}

}  // namespace autotunenet
