#pragma once
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <cstddef>

#include "../../tests/support/allocations.hpp"

namespace suggest {

/// Bytes that the program holds from malloc.
inline double bytes_held() { return static_cast<double>(mallinfo2().uordblks); }

/// Runs the loop of a benchmark and counts allocations per step. `bytes`: what the measured object holds.
template <class Step>
void measure(benchmark::State& state, double bytes, Step&& step) {
  support::allocation_count const counted;
  for (auto _ : state) step();
  state.counters["allocations"] =
      benchmark::Counter(static_cast<double>(counted.since()), benchmark::Counter::kAvgIterations);
  state.counters["bytes"] = benchmark::Counter(bytes);
}

}  // namespace suggest
