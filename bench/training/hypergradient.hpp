#pragma once

#include <algorithm>
#include <cmath>

namespace training {

/// Hypergradient descent (Baydin et al. 2018, "Online learning rate adaptation with hypergradient descent", equation
/// 5): the learning rate itself descends along the derivative of the loss by it. A rate never falls below 0.
class hypergradient {
 public:
  hypergradient(double lr, double hyper_rate) : lr_(lr), hyper_rate_(hyper_rate) {}

  /// `derivative`: this step's gradient times the last step's movement per unit of learning rate.
  double tell(double derivative) {
    if (std::isfinite(derivative)) lr_ = std::max(0.0, lr_ - hyper_rate_ * derivative);
    return lr_;
  }

 private:
  double lr_;
  double hyper_rate_;
};

}  // namespace training
