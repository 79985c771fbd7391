#pragma once

#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/mse_loss.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/relu.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/optimizer.h>

#include <cstdint>
#include <limits>
#include <vector>

/// A network with everything that a snapshot must hold: parameters, buffers that training changes, and dropout, which
/// draws from the default random engine.
class small_network : public torch::nn::Module {
 public:
  small_network()
      : first_(register_module("first", torch::nn::Linear(4, 8))),
        norm_(register_module("norm", torch::nn::BatchNorm1d(8))),
        dropout_(register_module("dropout", torch::nn::Dropout(0.3))),
        last_(register_module("last", torch::nn::Linear(8, 1))) {}

  at::Tensor forward(at::Tensor const& input) {
    return last_->forward(dropout_->forward(at::relu(norm_->forward(first_->forward(input)))));
  }
  std::vector<at::Tensor> first_layer() const { return first_->parameters(); }
  std::vector<at::Tensor> rest() const {
    std::vector<at::Tensor> all = norm_->parameters();
    for (at::Tensor const& p : last_->parameters()) all.push_back(p);
    return all;
  }
  at::Tensor& first_bias() { return first_->bias; }

 private:
  torch::nn::Linear first_;
  torch::nn::BatchNorm1d norm_;
  torch::nn::Dropout dropout_;
  torch::nn::Linear last_;
};

inline void seed(std::uint64_t with) { at::manual_seed(with); }

/// One step on data drawn from the default random engine; gives the loss before the step.
inline double train_step(small_network& network, torch::optim::Optimizer& optimizer) {
  at::Tensor loss;
  auto const closure = [&] {
    optimizer.zero_grad();
    at::Tensor const input = at::randn({16, 4});
    loss = at::mse_loss(network.forward(input), input.sum(1, true));
    loss.backward();
    return loss;
  };
  optimizer.step(closure);
  return loss.item<double>();
}

/// Makes every parameter NaN.
inline void spoil(small_network& network) {
  at::NoGradGuard const no_grad;
  for (at::Tensor const& p : network.parameters()) p.fill_(std::numeric_limits<double>::quiet_NaN());
}

/// Of the first group.
inline double learning_rate(torch::optim::Optimizer const& optimizer) {
  return optimizer.param_groups()[0].options().get_lr();
}

/// Copies of all parameters and buffers.
inline std::vector<at::Tensor> weights(small_network const& network) {
  std::vector<at::Tensor> all;
  for (at::Tensor const& t : network.parameters()) all.push_back(t.detach().clone());
  for (at::Tensor const& t : network.buffers()) all.push_back(t.detach().clone());
  return all;
}

inline bool same_bits(std::vector<at::Tensor> const& a, std::vector<at::Tensor> const& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!at::equal(a[i], b[i])) return false;
  }
  return true;
}
