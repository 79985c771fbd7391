// A training loop that is itself a coroutine: it waits for each suggestion, and control passes straight from coroutine
// to coroutine and back.

#include <coroutine>
#include <cstdio>
#include <exception>
#include <utility>

#include "support/noisy_quadratic.hpp"
#include "support/task.hpp"

import autotunenet;

using namespace autotunenet;

namespace {

task<double> train(suggestions tuning, int steps) {
  noisy_quadratic network(7);
  double loss = 0.0;
  suggestion const* now = co_await tuning.next();
  for (int step = 1; now && step <= steps; ++step) {
    loss = network.step(now->values["lr"]);
    if (step % 100 == 0) std::printf("step %4d  loss %8.4f  lr %.2e\n", step, loss, now->values["lr"]);
    now = co_await tuning.next({.metric = loss});
  }
  co_return loss;
}

}  // namespace

int main() {
  search_space const space{real{"lr", 1e-4, 1.0, scale::log}};
  suggestions tuning =
      bayesian(space, {.seed = 7, .start = space.at({{"lr", 1e-3}})}) | every(10) | guard({.warm_up = 20});
  double const loss = train(std::move(tuning), 1000).run();
  std::printf("loss after 1000 steps: %.4f\n", loss);
}
