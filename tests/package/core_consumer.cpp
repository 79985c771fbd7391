#include <coroutine>
#include <cstdio>
#include <exception>
#include <utility>

import autotunenet;

using namespace autotunenet;

namespace {

// A coroutine of the consumer's own, around which the installed stages go.
suggestions halving(search_space space) {
  suggestion next{.number = 0, .values = space.center()};
  for (;;) {
    ++next.number;
    co_yield next;
    next.values.assign(0, next.values[0] / 2);
  }
}

}  // namespace

int main() {
  suggestions tuning = halving({real{"lr", 1e-4, 1e-1, scale::log}}) | guard({.max_delta = 0.5});
  double before = tuning.ask().values["lr"];
  for (double metric : {1.0, 0.9, 0.8}) {
    tuning.tell(metric);
    double const now = tuning.ask().values["lr"];
    if (now < before / 1.5 * 0.999) return 1;
    before = now;
  }
  std::printf("lr %g\n", before);
}
