// A tuner of one's own is a loop that yields suggestions and is resumed with observations; the stages around it make it
// safe.

#include <coroutine>
#include <cstdio>
#include <exception>
#include <limits>
#include <utility>

#include "support/noisy_quadratic.hpp"

import autotunenet;

using namespace autotunenet;

namespace {

// Walks along the learning rate, and turns around where the loss fell faster before.
suggestions walk(search_space space, configuration start) {
  double before = std::numeric_limits<double>::quiet_NaN(), fastest = 0.0, direction = 0.02;
  for (suggestion next{.number = 1, .values = start};; ++next.number) {
    observation const& seen = co_yield next;
    if (!seen.applied.empty()) next.values.assign(seen.applied);  // the guard may have shortened the step
    double const fall = before / seen.metric;
    if (fall < fastest) direction = -direction;
    fastest = fall;
    before = seen.metric;
    next.values.assign(0, space.from_unit(0, space.to_unit(0, next.values[0]) + direction));
  }
}

}  // namespace

int main() {
  search_space const space{real{"lr", 1e-4, 10.0, scale::log}};
  suggestions tuning = walk(space, space.at({{"lr", 1e-3}})) | every(20) | guard({.warm_up = 20});
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
