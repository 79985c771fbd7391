// A tuner of one's own is a loop that yields suggestions and is resumed with observations; the stages around it make it
// safe.

#include <coroutine>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <limits>
#include <random>
#include <utility>

#include "support/noisy_quadratic.hpp"

import autotunenet;

using namespace autotunenet;

namespace {

// Takes a random step from the best configuration so far, and keeps it if the loss fell faster than before.
suggestions hill_climb(search_space space, configuration best, std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> step(0.0, 0.1);
  double before = std::numeric_limits<double>::infinity(), fastest = 0.0;
  for (suggestion next{.number = 1, .values = best};; ++next.number) {
    observation const& seen = co_yield next;
    if (!seen.applied.empty()) next.values.assign(seen.applied);  // the guard may have shortened the step
    double const fall = before / seen.metric;
    if (fall > fastest && !seen.bad()) fastest = fall, best = next.values;
    before = seen.metric;
    next.values.assign(0, space.from_unit(0, space.to_unit(0, best[0]) + step(engine)));
  }
}

}  // namespace

int main() {
  search_space const space{real{"lr", 1e-4, 10.0, scale::log}};
  suggestions tuning = hill_climb(space, space.at({{"lr", 1e-3}}), 7) | every(20) | guard({.warm_up = 20});
  noisy_quadratic network(7);
  double loss = 0.0;
  for (int step = 1; step <= 1000; ++step) {
    suggestion const& now = tuning.ask();
    double const lr = now.values["lr"];
    loss = network.step(lr);
    if (step % 100 == 0) std::printf("step %4d  loss %8.4f  lr %.2e\n", step, loss, lr);
    tuning.tell(loss);
  }
  std::printf("loss after 1000 steps: %.4f\n", loss);
}
