// Tuners by themselves: each step is a move.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "../cpu_clock.hpp"
#include "composite.hpp"
#include "measure.hpp"
#include "problem.hpp"

import autotunenet;

using namespace autotunenet;
using namespace suggest;

namespace {

suggestions full(search_space space, std::size_t window, training& run, std::size_t steps) {
  suggestions tuner = bayesian(std::move(space), {.seed = 1, .window = window});
  for (std::size_t i = 0; i < steps; ++i) step(tuner, run);
  return tuner;
}

void gaussian_process_step(benchmark::State& state, kind what) {
  training run;
  auto const window = static_cast<std::size_t>(state.range(0));
  double const before = bytes_held();
  suggestions tuner = full(space_of(what, static_cast<std::size_t>(state.range(1))), window, run, window + 64);
  measure(state, bytes_held() - before, [&] { step(tuner, run); });
}

/// The long run is made once, and goes on from repeat to repeat.
void after_observations(benchmark::State& state) {
  constexpr std::int64_t is_long = 100'000;
  static training long_run;
  static double long_bytes = 0.0;
  static std::optional<suggestions> kept;
  training run;
  double const before = bytes_held();
  auto const count = static_cast<std::size_t>(state.range(0));
  if (state.range(0) >= is_long) {
    if (!kept) {
      kept.emplace(full(space_of(kind::real, 1), 32, long_run, count));
      long_bytes = bytes_held() - before;
    }
    measure(state, long_bytes, [&] { step(*kept, long_run); });
  } else {
    suggestions tuner = full(space_of(kind::real, 1), 32, run, count);
    measure(state, bytes_held() - before, [&] { step(tuner, run); });
  }
}

/// Each step by itself: the clock's own cost is in it.
void tail(benchmark::State& state) {
  training run;
  suggestions tuner = full(space_of(kind::real, 4), 128, run, 192);
  std::vector<double> times;
  times.reserve(1 << 20);
  for (auto _ : state) {
    double const metric = run.step(tuner.ask().values);
    double const begin = bench::cpu_microseconds();
    tuner.tell(metric);
    benchmark::DoNotOptimize(&tuner.ask());
    times.push_back(bench::cpu_microseconds() - begin);
  }
  std::ranges::sort(times);
  auto const at = [&](double share) {
    return times[static_cast<std::size_t>(share * static_cast<double>(times.size() - 1))];
  };
  state.counters["p50_us"] = at(0.5);
  state.counters["p99_us"] = at(0.99);
  state.counters["max_us"] = at(1.0);
  state.counters["p99_over_p50"] = at(0.99) / at(0.5);
}

void other(benchmark::State& state, suggestions (*make)(search_space)) {
  training run;
  double const before = bytes_held();
  suggestions tuner = make(space_of(kind::real, 4));
  for (std::size_t i = 0; i < 300; ++i) step(tuner, run);
  measure(state, bytes_held() - before, [&] { step(tuner, run); });
}

void composite_step(benchmark::State& state) {
  composite yardstick(state.range(0), state.range(1), 256);
  for (auto _ : state) benchmark::DoNotOptimize(yardstick.step());
}

auto const sizes = std::vector<std::vector<std::int64_t>>{{16, 64, 128, 256}, {1, 4, 8, 16}};
auto const mixes = std::vector<std::vector<std::int64_t>>{{128}, {4, 16}};

BENCHMARK_CAPTURE(gaussian_process_step, real, kind::real)
    ->ArgNames({"n", "d"})
    ->ArgsProduct(sizes)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(gaussian_process_step, integer, kind::integer)
    ->ArgNames({"n", "d"})
    ->ArgsProduct(mixes)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(gaussian_process_step, categorical, kind::categorical)
    ->ArgNames({"n", "d"})
    ->ArgsProduct(mixes)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(gaussian_process_step, mixed, kind::mixed)
    ->ArgNames({"n", "d"})
    ->ArgsProduct(mixes)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK(composite_step)->ArgNames({"n", "d"})->Args({128, 4})->Unit(benchmark::kMicrosecond);
BENCHMARK(tail)->Iterations(3000)->Unit(benchmark::kMicrosecond);
BENCHMARK(after_observations)->Arg(1'000)->Arg(1'000'000)->Iterations(4000)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(other, levels, [](search_space space) {
  return bayesian(std::move(space), {.from = learned::level});
})->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(other, tpe, [](search_space space) { return tpe(std::move(space)); })->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(other, quasi_random, [](search_space space) { return quasi_random(std::move(space)); });

}  // namespace
