#include "step_directions.hpp"

#include <torch/optim/adagrad.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/sgd.h>

#include <algorithm>
#include <string_view>
#include <typeinfo>

#include "hyperparameter.hpp"
#include "tensor_archive.hpp"

namespace autotunenet {

using namespace torch::optim;

namespace {

double weight_decay_of(OptimizerOptions const& options) {
  for (hyperparameter const& one : kind_of(options).hyperparameters) {
    if (one.name == std::string_view("weight_decay")) return one.get(options);
  }
  return 0.0;
}

/// What a step subtracts from each number, but for a factor above 0. AdamW's decay stands beside a step of about 1.
at::Tensor subtracted(at::Tensor const& before, at::Tensor const& gradient, OptimizerOptions const& options) {
  auto const* const decoupled = dynamic_cast<AdamWOptions const*>(&options);
  at::Tensor const step = decoupled ? gradient / (gradient.abs() + decoupled->eps()) : gradient;
  double const decay = weight_decay_of(options);
  return decay == 0.0 ? step : step + decay * before;
}

}  // namespace

bool steps_along_gradients(Optimizer const& optimizer) {
  auto const& type = typeid(optimizer);
  return type == typeid(SGD) || type == typeid(Adam) || type == typeid(AdamW) || type == typeid(RMSprop) ||
         type == typeid(Adagrad);
}

void step_directions::add(at::Tensor const& before, at::Tensor const& now, OptimizerOptions const& options) {
  at::Tensor const& gradient = now.grad();
  if (!gradient.defined() || !plain(gradient) || !plain(now) || !now.is_floating_point()) return;
  if (before.sizes() != now.sizes() || before.device() != now.device()) return;
  at::Tensor const agreement = (before - now).sign() * subtracted(before, gradient, options).sign();
  moved_ += agreement.ne(0).sum().item<std::int64_t>();
  with_step_ += agreement.gt(0).sum().item<std::int64_t>();
}

bool step_directions::of_no_step() const noexcept {
  constexpr std::int64_t enough = 300;
  constexpr double either_way = 0.15;  // of 300 numbers, five standard deviations of a toss
  double const share = static_cast<double>(with_step_) / static_cast<double>(std::max<std::int64_t>(moved_, 1));
  return moved_ >= enough && share >= 0.5 - either_way && share <= 0.5 + either_way;
}

}  // namespace autotunenet
