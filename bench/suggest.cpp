// What one ask and one tell cost.

#include <benchmark/benchmark.h>

#include <coroutine>
#include <cstdint>
#include <exception>
#include <utility>

import autotunenet;

using namespace autotunenet;

namespace {

search_space space() {
  return {real{"lr", 1e-5, 1e-1, scale::log}, real{"momentum", 0.0, 0.99}, real{"weight_decay", 1e-6, 1e-2, scale::log},
          real{"dropout", 0.0, 0.5}};
}

suggestions holding(search_space over) {
  suggestion next{.values = over.center()};
  for (;;) {
    ++next.number;
    co_yield next;
  }
}

// A metric that falls, with a deterministic jitter.
void converse(benchmark::State& state, suggestions tuning) {
  std::uint64_t step = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(tuning.ask());
    ++step;
    tuning.tell(2.0 / (1.0 + 1e-3 * static_cast<double>(step)) + 1e-3 * static_cast<double>(step * 2654435761 % 1024));
  }
}

void bare_coroutine(benchmark::State& state) { converse(state, holding(space())); }
BENCHMARK(bare_coroutine);

}  // namespace

BENCHMARK_MAIN();
