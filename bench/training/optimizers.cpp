#include "optimizers.hpp"

#include <torch/optim/adagrad.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/sgd.h>

#include <stdexcept>
#include <string>
#include <utility>

#include "prodigy.hpp"

namespace training {

std::unique_ptr<torch::optim::Optimizer> make_optimizer(std::string_view kind, std::vector<at::Tensor> parameters,
                                                        double lr) {
  using namespace torch::optim;
  if (kind == "sgd") return std::make_unique<SGD>(std::move(parameters), SGDOptions(lr));
  if (kind == "momentum") return std::make_unique<SGD>(std::move(parameters), SGDOptions(lr).momentum(0.9));
  if (kind == "nesterov")
    return std::make_unique<SGD>(std::move(parameters), SGDOptions(lr).momentum(0.9).nesterov(true));
  if (kind == "adagrad") return std::make_unique<Adagrad>(std::move(parameters), AdagradOptions(lr));
  if (kind == "adam") return std::make_unique<Adam>(std::move(parameters), AdamOptions(lr));
  if (kind == "adamw") return std::make_unique<AdamW>(std::move(parameters), AdamWOptions(lr));
  if (kind == "rmsprop") return std::make_unique<RMSprop>(std::move(parameters), RMSpropOptions(lr));
  if (kind == "prodigy") return std::make_unique<prodigy>(std::move(parameters), prodigy_options(lr));
  throw std::invalid_argument("There is no optimizer " + std::string(kind) + ".");
}

}  // namespace training
