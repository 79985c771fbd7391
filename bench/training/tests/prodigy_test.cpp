#include "prodigy.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <vector>

using namespace training;

namespace {

// Descends on |x - 3|^2 / 2 from 0 with h in each of 10 dimensions; gives the last distance to the solution.
double descend(prodigy& optimizer, at::Tensor const& x, int steps) {
  auto const h = at::linspace(1.0, 10.0, 10);
  for (int step = 0; step < steps; ++step) {
    optimizer.zero_grad();
    auto loss = (0.5 * h * (x - 3.0) * (x - 3.0)).sum();
    loss.backward();
    optimizer.step();
  }
  return (x - 3.0).abs().max().item<double>();
}

}  // namespace

TEST_CASE("Prodigy finds the scale of a quadratic, from an estimate a million times too small") {
  auto x = at::zeros({10}).set_requires_grad(true);
  prodigy optimizer({x});
  CHECK(descend(optimizer, x, 800) < 0.05);
  CHECK(optimizer.distance() > 0.3);
  // The theory bounds the estimate by the distance to the solution, here 3 in each coordinate.
  CHECK(optimizer.distance() < 3.0 * std::sqrt(10.0));
}

TEST_CASE("a multiple of 0 leaves weights where they are") {
  auto x = at::zeros({10}).set_requires_grad(true);
  prodigy optimizer({x}, prodigy_options(0.0));
  CHECK(descend(optimizer, x, 5) == 3.0);
}
