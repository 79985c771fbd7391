#pragma once
#include <torch/optim/adagrad.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/lbfgs.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/sgd.h>
#include <torch/serialize/archive.h>

#include <vector>

#include "optimizer_kind.hpp"

namespace support {

/// Not LibTorch's own, but one that can be saved: SGD in another class.
class derived_sgd : public torch::optim::SGD {
 public:
  using SGD::SGD;
};

/// Each that saves its state, with what makes it keep more of it.
inline std::vector<kind> const& saving_optimizers() {
  static std::vector<kind> const all{
      one<torch::optim::SGD>("SGD", torch::optim::SGDOptions(0.05)),
      one<torch::optim::SGD>("SGD with momentum", torch::optim::SGDOptions(0.05).momentum(0.9).weight_decay(0.01)),
      one<torch::optim::SGD>("SGD with nesterov", torch::optim::SGDOptions(0.05).momentum(0.9).nesterov(true)),
      one<torch::optim::Adam>("Adam", torch::optim::AdamOptions(0.01)),
      one<torch::optim::Adam>("Adam with amsgrad", torch::optim::AdamOptions(0.01).amsgrad(true)),
      one<torch::optim::AdamW>("AdamW", torch::optim::AdamWOptions(0.01)),
      one<torch::optim::AdamW>("AdamW with amsgrad", torch::optim::AdamWOptions(0.01).amsgrad(true)),
      one<torch::optim::RMSprop>("RMSprop", torch::optim::RMSpropOptions(0.01)),
      one<torch::optim::RMSprop>("RMSprop, centered with momentum",
                                 torch::optim::RMSpropOptions(0.01).centered(true).momentum(0.9)),
      one<torch::optim::Adagrad>("Adagrad", torch::optim::AdagradOptions(0.05).lr_decay(0.01)),
      one<torch::optim::LBFGS>("LBFGS", torch::optim::LBFGSOptions(0.1).max_iter(3).history_size(4)),
      one<derived_sgd>("a class derived from SGD", torch::optim::SGDOptions(0.05).momentum(0.9)),
  };
  return all;
}

}  // namespace support
