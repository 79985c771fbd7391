#pragma once

#include <memory>
#include <string_view>
#include <vector>

namespace at {
class Tensor;
}
namespace torch::optim {
class Optimizer;
}

namespace fashion {

/// The names that `make_optimizer` knows.
inline constexpr std::string_view optimizers[] = {"adam", "adamw", "sgd", "momentum", "rmsprop"};

/// LibTorch's defaults, but for the rate; `momentum` is SGD with a momentum of 0.9.
std::unique_ptr<torch::optim::Optimizer> make_optimizer(std::string_view name, std::vector<at::Tensor> weights,
                                                        double rate);

}  // namespace fashion
