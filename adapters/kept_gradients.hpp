#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>
#include <torch/optim/optimizer.h>

#include <utility>
#include <vector>

namespace autotunenet {

/// The gradients of a step that is under way, which a return to other weights drops. The tensors themselves, no copies.
class kept_gradients {
 public:
  explicit kept_gradients(torch::optim::Optimizer const& optimizer, torch::nn::Module const* model) {
    auto const keep = [&](at::Tensor const& parameter) {
      if (parameter.defined() && parameter.grad().defined()) kept_.emplace_back(parameter, parameter.grad());
    };
    for (auto const& group : optimizer.param_groups()) {
      for (at::Tensor const& parameter : group.params()) keep(parameter);
    }
    if (!model) return;
    for (at::Tensor const& parameter : model->parameters()) keep(parameter);
  }

  void put_back() const noexcept {
    for (auto const& [parameter, gradient] : kept_) parameter.mutable_grad() = gradient;
  }

 private:
  std::vector<std::pair<at::Tensor, at::Tensor>> kept_;
};

}  // namespace autotunenet
