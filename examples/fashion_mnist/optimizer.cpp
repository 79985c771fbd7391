#include "optimizer.hpp"

#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/sgd.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace fashion {

std::unique_ptr<torch::optim::Optimizer> make_optimizer(std::string_view name, std::vector<at::Tensor> weights,
                                                        double rate) {
  using namespace torch::optim;
  if (name == "adam") return std::make_unique<Adam>(std::move(weights), AdamOptions(rate));
  if (name == "adamw") return std::make_unique<AdamW>(std::move(weights), AdamWOptions(rate));
  if (name == "sgd") return std::make_unique<SGD>(std::move(weights), SGDOptions(rate));
  if (name == "momentum") return std::make_unique<SGD>(std::move(weights), SGDOptions(rate).momentum(0.9));
  if (name == "rmsprop") return std::make_unique<RMSprop>(std::move(weights), RMSpropOptions(rate));
  throw std::invalid_argument("unknown optimizer: " + std::string(name));
}

}  // namespace fashion
