#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>
#include <torch/optim/optimizer.h>

#include <span>
#include <utility>
#include <vector>

namespace autotunenet {

/// The gradients of a step that is under way, which a return to other weights drops. The tensors themselves, no copies.
class kept_gradients {
 public:
  kept_gradients(torch::optim::Optimizer const& tuned, std::span<torch::optim::Optimizer* const> also,
                 torch::nn::Module const* model) {
    auto const keep = [&](at::Tensor const& parameter) {
      if (parameter.defined() && parameter.grad().defined()) kept_.emplace_back(parameter, parameter.grad());
    };
    auto const keep_all = [&](torch::optim::Optimizer const& optimizer) {
      for (auto const& group : optimizer.param_groups()) {
        for (at::Tensor const& parameter : group.params()) keep(parameter);
      }
    };
    keep_all(tuned);
    for (torch::optim::Optimizer const* one : also) keep_all(*one);
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
