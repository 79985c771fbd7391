#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string_view>
#include <vector>

namespace torch::optim {
class Optimizer;
}

namespace training {

/// "sgd", "momentum" (SGD with momentum 0.9), "nesterov", "adam", "adamw", "adagrad", "rmsprop" or "prodigy". Throws
/// std::invalid_argument.
std::unique_ptr<torch::optim::Optimizer> make_optimizer(std::string_view kind, std::vector<at::Tensor> parameters,
                                                        double lr);

}  // namespace training
