#pragma once

#include <torch/optim/optimizer.h>

#include <vector>

namespace training {

struct prodigy_options : torch::optim::OptimizerCloneableOptions<prodigy_options> {
  explicit prodigy_options(double rate = 1.0) : lr(rate) {}
  double get_lr() const override { return lr; }
  void set_lr(double const rate) override { lr = rate; }

  double lr;
};

/// Prodigy (Mishchenko and Defazio 2024, "Prodigy: an expeditiously adaptive parameter-free learner", algorithm 4: the
/// Adam form, without weight decay). It estimates the distance to the solution while it runs, and steps by it: `lr` is
/// a multiple of that, 1 or a schedule's shape.
class prodigy final : public torch::optim::Optimizer {
 public:
  prodigy(std::vector<at::Tensor> parameters, prodigy_options options = prodigy_options());

  at::Tensor step(LossClosure closure = nullptr) override;
  /// The present estimate of the distance.
  double distance() const noexcept { return distance_; }

 private:
  struct moments {
    at::Tensor start, mean, square, sum;
  };

  std::vector<moments> moments_;
  double distance_ = 1e-6;
  double numerator_ = 0.0;
};

}  // namespace training
