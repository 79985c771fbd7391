// Stages around a tuner that costs nothing, and pipelines.
#include <benchmark/benchmark.h>

#include <coroutine>
#include <cstddef>
#include <utility>

#include "measure.hpp"
#include "problem.hpp"

import autotunenet;

using namespace autotunenet;
using namespace suggest;

namespace {

constexpr std::size_t never = 1'000'000'000;

suggestions bare() { return drive(trivial{space_of(kind::real, 4)}); }

void stages(benchmark::State& state, suggestions (*make)()) {
  double const before = bytes_held();
  suggestions tuner = make();
  falling_metric metric;
  auto const step = [&] {
    benchmark::DoNotOptimize(&tuner.ask());
    tuner.tell(metric.next());
  };
  for (int i = 0; i < 2000; ++i) step();
  measure(state, bytes_held() - before, step);
}

void pipeline(benchmark::State& state, suggestions (*make)(search_space)) {
  training run;
  double const before = bytes_held();
  suggestions tuner = make(space_of(kind::real, static_cast<std::size_t>(state.range(0))));
  for (int i = 0; i < 5000; ++i) step(tuner, run);
  measure(state, bytes_held() - before, [&] { step(tuner, run); });
}

BENCHMARK_CAPTURE(stages, none, bare);
BENCHMARK_CAPTURE(stages, every, [] { return bare() | every(never); });
BENCHMARK_CAPTURE(stages, smooth, [] { return bare() | smooth(); });
BENCHMARK_CAPTURE(stages, anneal, [] { return bare() | anneal({.parameter = "p0", .horizon = never}); });
BENCHMARK_CAPTURE(stages, branch_test, [] { return bare() | branch_test({.parameter = "p0", .horizon = never}); });
BENCHMARK_CAPTURE(stages, range_test, [] { return bare() | range_test({.parameter = "p0", .horizon = never}); });
BENCHMARK_CAPTURE(stages, guard, [] { return bare() | guard(); });
BENCHMARK_CAPTURE(stages, smooth_every_guard, [] { return bare() | every(never) | smooth() | guard(); });

BENCHMARK_CAPTURE(pipeline, tuner_and_guard,
                  [](search_space space) { return bayesian(std::move(space), {.seed = 1}) | guard(); })
    ->ArgName("d")
    ->Arg(4)
    ->Unit(benchmark::kMicrosecond);
/// As a trainer gets it whose objective is the loss of each step: one move every 20.
BENCHMARK_CAPTURE(pipeline, all,
                  [](search_space space) {
                    settings const chosen{.tuning = {.objective = hook::step, .seed = 1, .learning_rate = "p0"}};
                    return make_pipeline(chosen, space.center());
                  })
    ->ArgName("d")
    ->Arg(1)
    ->Arg(4)
    ->Unit(benchmark::kMicrosecond);

}  // namespace
