#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hyperparameter.hpp"

namespace autotunenet {

/// One hyperparameter in the parameter groups that a name means: "lr" in all of them, "group1.lr" in one.
///
/// Of what is proportional, each group keeps its ratio to the name's value, as far as bounds allow. A group that is
/// found at 0, and was not, was taken out by hand: it stays at 0 until it is found above 0, and has its ratio again
/// then.
class group_setting {
 public:
  /// Whether the optimizer has what the name means.
  static bool exists(torch::optim::Optimizer const& optimizer, std::string_view name);

  /// Throws `invalid_option` where the optimizer has no such thing, or its groups disagree on what has no ratio.
  /// @param others names that are known besides, for the hint at a typo
  group_setting(torch::optim::Optimizer const& optimizer, std::string name,
                std::span<std::string_view const> others = {});

  /// Between these no ratio takes a group out, unless the name's value is out itself, or the group came so.
  void bound(double min, double max) noexcept;

  std::string const& name() const noexcept { return name_; }
  std::string_view setting() const noexcept { return what_->name; }
  /// The group, where the name means one.
  std::optional<std::size_t> only() const noexcept { return only_; }

  /// Throws `invalid_option` where a group cannot take what the value means for it.
  void check(torch::optim::Optimizer const& optimizer, double value);
  /// Gets what `write` of that value will need, after `check`. What the optimizer computes is as before.
  void prepare(torch::optim::Optimizer& optimizer, double value) const;
  /// Whether anything changed. Cannot fail after `prepare`.
  bool write(torch::optim::Optimizer& optimizer, double value);
  /// The name's value that the first group which is not at 0 stands for; where all are, the one that was written last.
  /// Notices what was changed by hand, and groups that were added.
  double read(torch::optim::Optimizer const& optimizer);
  /// Whether a group ran at another value, by more than 1 %, than the one that was read last means for it.
  bool overridden() const noexcept { return overridden_; }

  /// For checkpoints: the ratios, which groups were taken out, and what each held at the last `read` or `write`, which
  /// `put_back` must bring back after a reading.
  template <class Archive>
  void fields(Archive& a);
  /// Throws `invalid_option` where a group cannot take back what it held; else gets what `put_back` will need.
  void prepare_to_put_back(torch::optim::Optimizer& optimizer) const;
  /// Gives each group what it held, whatever its ratio says. Cannot fail after `prepare_to_put_back`.
  void put_back(torch::optim::Optimizer& optimizer) const;

 private:
  struct member {
    double own = 1.0;      // what the group has ...
    double beside = 1.0;   // ... where the name's value is this
    double written = 0.0;  // what it was given last
    double present = 0.0;  // what it was seen to hold last
    bool out = false;

    bool follows() const noexcept { return !out && own != 0.0; }
  };

  bool keeps_ratios() const noexcept { return !only_ && what_->proportional; }
  void check_one(torch::optim::Optimizer const& optimizer, std::size_t group, double meant) const;
  void join(torch::optim::Optimizer const& optimizer, double value);
  void notice_zeros(torch::optim::Optimizer const& optimizer);
  double in_force(torch::optim::Optimizer const& optimizer) const;
  double target(std::size_t group, double value) const noexcept;
  std::size_t first() const noexcept { return only_.value_or(0); }
  std::size_t last() const noexcept { return only_ ? *only_ + 1 : members_.size(); }

  std::string name_;
  hyperparameter const* what_ = nullptr;
  std::optional<std::size_t> only_;
  double min_ = -std::numeric_limits<double>::infinity();
  double max_ = std::numeric_limits<double>::infinity();
  std::vector<member> members_;  // one for every group
  double value_ = 0.0;           // the name's, as it was written last
  bool overridden_ = false;
};

}  // namespace autotunenet
