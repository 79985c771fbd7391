#include "group_setting.hpp"

#include <torch/optim/optimizer.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <format>
#include <limits>
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
using torch::optim::OptimizerOptions;

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
  auto const& groups = optimizer.param_groups();
  auto const of = [&](std::size_t group) { return what_->get(groups[group].options()); };
  value_ = of(first());
  for (std::size_t g = 1; !only_ && g < groups.size() && &kind_in(optimizer, g) == &kind_in(optimizer, 0); ++g) {
    if (what_->proportional) {
      if (value_ == 0.0) value_ = of(g);
    } else if (of(g) != value_) {
      throw invalid_option(
          std::format("parameter \"{}\": the groups disagree, {} in group 0 but {} in group {}; name one group, "
                      "\"group0.{}\"",
                      name_, value_, of(g), g, what_->name));
    }
  }
  join(optimizer, value_);
}

void group_setting::bound(double min, double max) noexcept {
  min_ = min;
  max_ = max;
}

// Groups that come later too: adding them, or raising them from 0, is how a network is thawed layer by layer.
void group_setting::join(Optimizer const& optimizer, double value) {
  auto const& groups = optimizer.param_groups();
  if (members_.size() > groups.size()) {
    throw invalid_option(std::format("parameter \"{}\": the optimizer had {} parameter groups and now has {}", name_,
                                     members_.size(), groups.size()));
  }
  bool const with_ratio = keeps_ratios() && value != 0.0;
  auto const met = [&](double own) {
    return with_ratio ? member{.own = own, .beside = value, .written = own, .present = own}
                      : member{.written = own, .present = own};
  };
  for (std::size_t g = 0; with_ratio && g < members_.size(); ++g) {
    double const present = what_->get(groups[g].options());
    if (members_[g].own == 0.0 && present > 0.0) members_[g] = met(present);
  }
  for (std::size_t g = members_.size(); g < groups.size(); ++g) {
    if (&kind_in(optimizer, g) != &kind_in(optimizer, 0)) {
      throw invalid_option(
          std::format("parameter \"{}\": group {} has the options of another optimizer than group 0", name_, g));
    }
    members_.push_back(met(what_->get(groups[g].options())));
  }
}

void group_setting::notice_zeros(Optimizer const& optimizer) {
  if (!what_->proportional) return;
  auto const& groups = optimizer.param_groups();
  for (std::size_t g = first(); g < last(); ++g) {
    member& one = members_[g];
    double const present = what_->get(groups[g].options());
    bool const goes = present == 0.0 && one.written != 0.0;
    bool const comes = one.out && present > 0.0;
    if (!goes && !comes) continue;
    one.out = goes;
    one.written = present;
  }
}

double group_setting::in_force(Optimizer const& optimizer) const {
  auto const& groups = optimizer.param_groups();
  for (std::size_t g = first(); g < std::min(last(), groups.size()); ++g) {
    member const& one = members_[g];
    if (!one.follows()) continue;
    double const present = what_->get(groups[g].options());
    if (present == one.written) return value_;
    return present == one.own ? one.beside : present * (one.beside / one.own);
  }
  return value_;
}

// A group's own value comes back to the bit where the name has the value that it was beside.
double group_setting::target(std::size_t group, double value) const noexcept {
  auto const& [own, beside, written, present, out] = members_[group];
  if (out || own == 0.0) return 0.0;
  if (own == beside) return value;
  if (value == beside) return own;
  return std::clamp(value * (own / beside), std::min({min_, own, value}), std::max({max_, own, value}));
}

void group_setting::check(Optimizer const& optimizer, double value) {
  auto const& groups = optimizer.param_groups();
  if (members_.size() != groups.size()) join(optimizer, in_force(optimizer));
  for (std::size_t g = first(); g < last(); ++g) check_one(optimizer, g, target(g, value));
}

void group_setting::check_one(Optimizer const& optimizer, std::size_t group, double meant) const {
  allowed_range const allowed = what_->allowed(optimizer.param_groups()[group].options());
  if (allowed.contains(meant)) return;
  throw invalid_option(std::format("parameter \"{}\": {} is not allowed for group {} of {}; {} must be {}", name_,
                                   meant, group, kind_in(optimizer, group).name, what_->name, allowed.text));
}

void group_setting::prepare(Optimizer& optimizer, double value) const {
  if (!what_->has_velocity) return;
  for (std::size_t g = first(); g < last(); ++g) {
    auto const& group = optimizer.param_groups()[g];
    if (what_->get(group.options()) == 0.0 && target(g, value) != 0.0) begin_velocity(optimizer, group);
  }
}

bool group_setting::write(Optimizer& optimizer, double value) {
  bool changed = false;
  value_ = value;
  for (std::size_t g = first(); g < last(); ++g) {
    auto& group = optimizer.param_groups()[g];
    double const meant = target(g, value);
    members_[g].written = members_[g].present = meant;
    if (what_->get(group.options()) == meant) continue;
    what_->set(group.options(), meant);
    changed = true;
  }
  return changed;
}

double group_setting::read(Optimizer const& optimizer) {
  constexpr double apart = 0.01;
  auto const& groups = optimizer.param_groups();
  if (last() > groups.size()) {
    throw invalid_option(
        std::format("parameter \"{}\": the optimizer now has only {} parameter groups", name_, groups.size()));
  }
  notice_zeros(optimizer);
  double const now = in_force(optimizer);
  overridden_ = false;
  for (std::size_t g = first(); g < last(); ++g) {
    double const present = members_[g].present = what_->get(groups[g].options());
    if (members_[g].follows() && std::abs(present - target(g, now)) > apart * std::abs(present)) overridden_ = true;
  }
  join(optimizer, now);
  return now;
}

void group_setting::prepare_to_put_back(Optimizer& optimizer) const {
  for (std::size_t g = first(); g < last(); ++g) {
    auto const& group = optimizer.param_groups()[g];
    double const held = members_[g].present;
    if (what_->get(group.options()) == held) continue;
    check_one(optimizer, g, held);
    if (what_->has_velocity && what_->get(group.options()) == 0.0) begin_velocity(optimizer, group);
  }
}

void group_setting::put_back(Optimizer& optimizer) const {
  for (std::size_t g = first(); g < last(); ++g) {
    OptimizerOptions& options = optimizer.param_groups()[g].options();
    if (what_->get(options) != members_[g].present) what_->set(options, members_[g].present);
  }
}

template <class Archive>
void group_setting::fields(Archive& a) {
  constexpr double least = std::numeric_limits<double>::min(), most = std::numeric_limits<double>::max();
  a.section(name_);
  std::uint64_t count = members_.size();
  a(count);
  if (count != members_.size()) {
    archive::refuse(std::format("has ratios of \"{}\" for {} parameter groups; here the optimizer has {}", name_, count,
                                members_.size()));
  }
  for (member& one : members_) {
    a.between(one.own, 0.0, most).between(one.beside, least, most)(one.out)(one.written);
    a.between(one.present, -largest_hyperparameter, largest_hyperparameter);
  }
  a(value_);
}
template void group_setting::fields<archive>(archive&);

}  // namespace autotunenet
