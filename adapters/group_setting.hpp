#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hyperparameter.hpp"

namespace autotunenet {

/// One hyperparameter in the parameter groups that a name means: "lr" in all of them, "group1.lr" in one.
class group_setting {
 public:
  /// Whether the optimizer has what the name means.
  static bool exists(torch::optim::Optimizer const& optimizer, std::string_view name);

  /// Throws `invalid_option` where the optimizer has no such thing, or its groups disagree on what has no ratio.
  /// @param others names that are known besides, for the hint at a typo
  group_setting(torch::optim::Optimizer const& optimizer, std::string name,
                std::span<std::string_view const> others = {});

  std::string const& name() const noexcept { return name_; }
  std::string_view setting() const noexcept { return what_->name; }
  /// The group, where the name means one.
  std::optional<std::size_t> only() const noexcept { return only_; }

  /// Throws `invalid_option` where a group cannot take what the value means for it.
  void check(torch::optim::Optimizer const& optimizer, double value);
  /// Gets what `write` of that value will need, after `check`. What the optimizer computes is as before.
  void prepare(torch::optim::Optimizer& optimizer, double value) const;
  /// Whether anything changed. Cannot fail after `prepare`.
  bool write(torch::optim::Optimizer& optimizer, double value) const;
  double read(torch::optim::Optimizer const& optimizer) const;

 private:
  void meet(torch::optim::Optimizer const& optimizer);
  std::size_t first() const noexcept { return only_.value_or(0); }
  std::size_t last() const noexcept { return only_ ? *only_ + 1 : own_.size(); }
  double target(std::size_t group, double value) const noexcept;

  std::string name_;
  hyperparameter const* what_ = nullptr;
  std::optional<std::size_t> only_;
  std::vector<double> own_;    // of every group, as it came
  std::size_t reference_ = 0;  // the group whose value the name's value is
};

}  // namespace autotunenet
