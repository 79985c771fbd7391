#include "prodigy.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace training {

namespace {
constexpr double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
}

prodigy::prodigy(std::vector<at::Tensor> parameters, prodigy_options options)
    : Optimizer({torch::optim::OptimizerParamGroup(std::move(parameters))},
                std::make_unique<prodigy_options>(options)) {
  for (auto const& p : param_groups()[0].params())
    moments_.push_back({p.detach().clone(), at::zeros_like(p), at::zeros_like(p), at::zeros_like(p)});
}

at::Tensor prodigy::step(LossClosure closure) {
  at::Tensor loss;
  if (closure) {
    at::AutoGradMode const enabled(true);
    loss = closure();
  }
  torch::NoGradGuard const no_gradient;
  auto& group = param_groups()[0];
  double const lr = group.options().get_lr();
  double const d = distance_, root = std::sqrt(beta2);

  double along = 0.0, size = 0.0;
  for (std::size_t i = 0; i < moments_.size(); ++i) {
    auto const& p = group.params()[i];
    auto const& gradient = p.grad();
    if (!gradient.defined()) continue;
    auto& m = moments_[i];
    along += at::sum(gradient * (m.start - p)).item<double>();
    m.mean.mul_(beta1).add_(gradient, (1.0 - beta1) * d);
    m.square.mul_(beta2).addcmul_(gradient, gradient, (1.0 - beta2) * d * d);
    m.sum.mul_(root).add_(gradient, (1.0 - root) * lr * d * d);
    size += at::sum(at::abs(m.sum)).item<double>();
  }
  numerator_ = root * numerator_ + (1.0 - root) * lr * d * d * along;
  if (size > 0.0 && std::isfinite(numerator_ / size)) distance_ = std::max(d, numerator_ / size);

  for (std::size_t i = 0; i < moments_.size(); ++i) {
    auto& p = group.params()[i];
    auto& m = moments_[i];
    if (p.grad().defined()) p.addcdiv_(m.mean, m.square.sqrt().add_(d * epsilon), -lr * d);
  }
  return loss;
}

}  // namespace training
