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
  state_copies<noisy_quadratic> kept;
  double loss = 0.0;
  suggestion const* now = co_await tuning.next();
  for (int step = 1; now && step <= steps; ++step) {
    kept.carry_out(now->state, network);
    loss = network.step(now->values["lr"]);
    if (step % 100 == 0) std::printf("step %4d  loss %8.4f  lr %.2e\n", step, loss, now->values["lr"]);
    now = co_await tuning.next({.metric = loss, .restorable = true, .covers = coverage::step});
  }
  co_return loss;
}

}  // namespace

int main() {
  constexpr int steps = 1000;
  search_space const space{real{"lr", 1e-5, 10.0, scale::log}};
  suggestions tuning = bayesian(space, {.seed = 7, .start = space.at({{"lr", 1e-4}})}) | every(10) |
                       anneal({.horizon = steps}) | range_test({.horizon = steps}) | guard({.warm_up = 10});
  double const loss = train(std::move(tuning), steps).run();
  std::printf("loss after %d steps: %.4f\n", steps, loss);
}
