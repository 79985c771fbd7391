#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <string_view>

namespace training {

/// A model. The hidden layer of "mlp", "cnn" and "gru" has a dropout that can be changed while it trains.
class network : public torch::nn::Module {
 public:
  /// Logits, one row per target.
  virtual at::Tensor forward(at::Tensor const& inputs) = 0;
  /// What training lowers, a mean over the targets: cross entropy unless a model says otherwise.
  virtual at::Tensor loss(at::Tensor const& logits, at::Tensor const& targets) const;

  double dropout = 0.0;
};

/// Of images: "mlp" (784-128-10), "cnn" (two small convolutions, 28 by 28 pixels), "linear" (softmax regression),
/// "batch_norm" (mlp with it), "deep_tanh" (five layers of 100), "squared_error" (mlp, trained towards one-hot
/// targets); of characters: "gru", "transformer" (two layers). The caller seeds LibTorch. Throws std::invalid_argument.
std::shared_ptr<network> make_network(std::string_view kind, std::int64_t classes);

}  // namespace training
