#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include "../tests/support/allocations.hpp"
#include "../tests/support/noise.hpp"
#include "composite.hpp"

import autotunenet;

using namespace autotunenet;

namespace {

enum class kind : std::uint8_t { real, integer, categorical, mixed };

search_space space_of(kind what, std::size_t dimensions) {
  std::vector<parameter> all;
  for (std::size_t i = 0; i < dimensions; ++i) {
    std::string const name = "p" + std::to_string(i);
    kind const here = what == kind::mixed ? static_cast<kind>(i % 3) : what;
    if (here == kind::real) all.push_back(real{name, 1e-6, 1.0, scale::log});
    if (here == kind::integer) all.push_back(integer{name, 1, 64});
    if (here == kind::categorical) all.push_back(categorical{name, {"a", "b", "c", "d"}});
  }
  return search_space(all);
}

/// Training whose pace depends on the configuration, with a noisy metric: the tuner must look, move and learn.
class training {
 public:
  double step(configuration const& at) {
    double apart = 0.0;
    for (std::size_t i = 0; i < at.size(); ++i) apart += std::pow(at.space().to_unit(i, at[i]) - 0.7, 2);
    metric_ *= std::exp(-0.001 * (1.0 - 5.0 * apart / static_cast<double>(at.size())));
    if (metric_ < 1e-100 || metric_ > 1e100) metric_ = 1.0;
    return metric_ * (1.0 + 0.001 * random_.normal());
  }

 private:
  double metric_ = 1.0;
  support::noise random_{5};
};

void step(suggestions& tuner, training& run) { tuner.tell(run.step(tuner.ask().values)); }

suggestions full(search_space space, std::size_t window, training& run, std::size_t steps) {
  suggestions tuner = bayesian(std::move(space), {.seed = 1, .window = window});
  for (std::size_t i = 0; i < steps; ++i) step(tuner, run);
  return tuner;
}

void measure(benchmark::State& state, suggestions& tuner, training& run) {
  support::allocation_count const counted;
  for (auto _ : state) step(tuner, run);
  state.counters["allocations"] =
      benchmark::Counter(static_cast<double>(counted.since()), benchmark::Counter::kAvgIterations);
}

void gaussian_process_step(benchmark::State& state, kind what) {
  training run;
  auto const window = static_cast<std::size_t>(state.range(0));
  suggestions tuner = full(space_of(what, static_cast<std::size_t>(state.range(1))), window, run, window + 64);
  measure(state, tuner, run);
}

void after_observations(benchmark::State& state) {
  training run;
  suggestions tuner = full(space_of(kind::real, 1), 32, run, static_cast<std::size_t>(state.range(0)));
  measure(state, tuner, run);
}

/// Time of this thread alone, so that a busy machine does not make the tail.
double thread_microseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e6 * static_cast<double>(now.tv_sec) + 1e-3 * static_cast<double>(now.tv_nsec);
}

/// Each step by itself: the clock's own cost is in it.
void tail(benchmark::State& state) {
  training run;
  suggestions tuner = full(space_of(kind::real, 4), 128, run, 192);
  std::vector<double> times;
  times.reserve(1 << 20);
  for (auto _ : state) {
    double const metric = run.step(tuner.ask().values);
    double const begin = thread_microseconds();
    tuner.tell(metric);
    benchmark::DoNotOptimize(&tuner.ask());
    times.push_back(thread_microseconds() - begin);
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

void bare_coroutine(benchmark::State& state) {
  struct nothing {
    suggestion next;
    suggestion const& ask() {
      ++next.number;
      return next;
    }
    void tell(observation const&) {}
  };
  suggestions tuner = drive(nothing{});
  for (auto _ : state) {
    benchmark::DoNotOptimize(&tuner.ask());
    tuner.tell(1.0);
  }
}

void other(benchmark::State& state, suggestions (*make)(search_space)) {
  training run;
  suggestions tuner = make(space_of(kind::real, 4));
  for (std::size_t i = 0; i < 300; ++i) step(tuner, run);
  measure(state, tuner, run);
}

void composite_step(benchmark::State& state) {
  composite yardstick(state.range(0), state.range(1), 256);
  for (auto _ : state) benchmark::DoNotOptimize(yardstick.step());
}

auto const sizes = std::vector<std::vector<std::int64_t>>{{16, 64, 128, 256}, {1, 4, 8, 16}};
auto const mixes = std::vector<std::vector<std::int64_t>>{{128}, {4, 16}};

BENCHMARK(bare_coroutine);
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
BENCHMARK(tail)->Iterations(5000)->Unit(benchmark::kMicrosecond);
BENCHMARK(after_observations)->Arg(1'000)->Arg(1'000'000)->Iterations(20000)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(other, tpe, [](search_space space) { return tpe(std::move(space)); })->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(other, quasi_random, [](search_space space) { return quasi_random(std::move(space)); });

}  // namespace
