#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace torch::optim {
class Optimizer;
class OptimizerOptions;
}  // namespace torch::optim

namespace autotunenet {

/// Whether a step of the optimizer that begins without momentum moves every number against its gradient, weight decay
/// counted in: LibTorch's own but LBFGS, which goes on for several steps.
bool steps_along_gradients(torch::optim::Optimizer const& optimizer);

/// Tells an optimizer's first step from weights that something else has put there. The step moves nearly every number
/// against its gradient, or nearly every one along it where the loss was turned around; loaded weights lie on either
/// side.
class step_directions {
 public:
  /// Counts a parameter's numbers; none where the gradient is undefined or not dense.
  void add(at::Tensor const& before, at::Tensor const& now, torch::optim::OptimizerOptions const& options);
  /// Whether enough numbers moved, and neither with the step nor against it.
  bool of_no_step() const noexcept;

 private:
  std::int64_t moved_ = 0;
  std::int64_t with_step_ = 0;
};

}  // namespace autotunenet
