#pragma once

#include <span>
#include <string_view>

namespace torch::optim {
class Optimizer;
class OptimizerOptions;
class OptimizerParamGroup;
}  // namespace torch::optim

namespace autotunenet {

/// What an optimizer can compute with.
struct allowed_range {
  std::string_view text;
  double min = 0.0;
  double max = 0.0;
  bool min_itself = true;
  bool max_itself = true;
  /// False for NaN and infinity.
  bool contains(double value) const noexcept {
    return (min_itself ? value >= min : value > min) && (max_itself ? value <= max : value < max) &&
           value - value == 0.0;
  }
};

/// One setting of a parameter group. The functions take the options of the kind they are listed for.
struct hyperparameter {
  std::string_view name;
  double (*get)(torch::optim::OptimizerOptions const&);
  void (*set)(torch::optim::OptimizerOptions&, double);
  allowed_range (*allowed)(torch::optim::OptimizerOptions const&);
  bool proportional = false;  ///< groups differ by a factor that tuning them together keeps
  bool has_velocity = false;  ///< 0 switches a state of the optimizer off
};

/// For what is read: far beyond anything that trains, and so far below where a step leaves the range of single
/// precision that what an optimizer divides by cannot take it there.
inline constexpr double largest_hyperparameter = 1e18;

struct optimizer_kind {
  std::string_view name;
  std::span<hyperparameter const> hyperparameters;
};

/// By the type of the options; one that is not known has only what every optimizer has.
optimizer_kind const& kind_of(torch::optim::OptimizerOptions const&);

/// A group's momentum begins anew: SGD forgets its velocity, RMSprop is given one of zeros. While momentum is 0 nothing
/// reads what this changes.
void begin_velocity(torch::optim::Optimizer&, torch::optim::OptimizerParamGroup const&);

}  // namespace autotunenet
