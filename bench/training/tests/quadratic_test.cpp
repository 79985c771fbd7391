#include "quadratic.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <cmath>
#include <vector>

#include "normal.hpp"

using namespace training;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

TEST_CASE("the noisy quadratic's closed form is the mean of sampled runs") {
  std::vector<double> const rates{0.5, 1.0, 0.2, 0.7, 0.1};
  double mean = 0.0;
  constexpr int runs = 4000, dimensions = 5;
  quadratic model(dimensions);
  for (double const lr : rates) model.step(lr);
  normal_stream noise(3);
  for (int run = 0; run < runs; ++run)
    for (int i = 0; i < dimensions; ++i) {
      double const h = 1.0 / (i + 1);
      double x = 10.0;
      for (double const lr : rates) x -= lr * h * (x - noise.next() / std::sqrt(h));
      mean += 0.5 * h * x * x / runs;
    }
  CHECK_THAT(mean, WithinRel(model.loss(), 0.02));
}

TEST_CASE("the greedy rate makes the next loss least") {
  quadratic model;
  model.step(0.3);
  double const best = model.greedy();
  auto const after = [&](double lr) {
    auto next = model;
    next.step(lr);
    return next.loss();
  };
  CHECK(after(best) < after(best * 1.01));
  CHECK(after(best) < after(best * 0.99));
}

TEST_CASE("greedy, constant and cosine rates end where the short-horizon paper's model puts them") {
  CHECK_THAT(final_loss(greedy_rates(250)), WithinAbs(3.64, 0.01));
  CHECK_THAT(final_loss(best_constant_rates(250)), WithinAbs(1.39, 0.01));
  CHECK_THAT(final_loss(best_cosine_rates(250)), WithinAbs(0.41, 0.01));
  CHECK_THAT(final_loss(greedy_rates(1000)), WithinAbs(1.10, 0.01));
  CHECK_THAT(final_loss(best_constant_rates(1000)), WithinAbs(0.40, 0.01));
  CHECK_THAT(final_loss(best_cosine_rates(1000)), WithinAbs(0.11, 0.005));
}

TEST_CASE("rates that descend along the final loss's derivative beat every cosine") {
  double const best = final_loss(near_optimal_rates(250, 400));
  CHECK(best < 0.375);
  CHECK(best > 0.25);
}
