#pragma once

#include <torch/nn/functional/loss.h>
#include <torch/nn/functional/pooling.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include "data.hpp"

namespace fashion {

/// Two convolutions with pooling and two layers above them, 54,000 weights.
class network : public torch::nn::Module {
 public:
  network()
      : low_(register_module("low", torch::nn::Conv2d(torch::nn::Conv2dOptions(1, 8, 3).padding(1)))),
        high_(register_module("high", torch::nn::Conv2d(torch::nn::Conv2dOptions(8, 16, 3).padding(1)))),
        hidden_(register_module("hidden", torch::nn::Linear(16 * side / 4 * side / 4, 64))),
        output_(register_module("output", torch::nn::Linear(64, classes))) {}

  /// Images of 1 x 28 x 28 to the logarithms of odds, up to a constant, of each class.
  torch::Tensor forward(torch::Tensor images) {
    images = torch::max_pool2d(torch::relu(low_(images)), 2);
    images = torch::max_pool2d(torch::relu(high_(images)), 2);
    return output_(torch::relu(hidden_(images.flatten(1))));
  }

 private:
  torch::nn::Conv2d low_, high_;
  torch::nn::Linear hidden_, output_;
};

}  // namespace fashion
