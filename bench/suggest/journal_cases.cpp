// What it costs the training thread to write the run down.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <coroutine>
#include <filesystem>
#include <string>
#include <utility>

#include "measure.hpp"
#include "problem.hpp"

import autotunenet.journal;

using namespace autotunenet;
using namespace suggest;

namespace {

void journal_step(benchmark::State& state, bool on) {
  search_space const space = space_of(kind::real, 4);
  auto const file = std::filesystem::temp_directory_path() / ("suggest-" + std::to_string(::getpid()) + ".jsonl");
  std::filesystem::remove(file);
  {
    double const before = bytes_held();
    journal written(file, space);
    suggestions tuner = drive(trivial{space}) | guard();
    if (on) tuner = std::move(tuner) | watch(written);
    falling_metric metric;
    auto const step = [&] {
      benchmark::DoNotOptimize(&tuner.ask());
      tuner.tell(metric.next());
    };
    for (int i = 0; i < 100; ++i) step();
    measure(state, bytes_held() - before, step);
    if (written.error()) state.SkipWithError(written.error()->c_str());
  }
  std::filesystem::remove(file);
}

BENCHMARK_CAPTURE(journal_step, off, false)->Iterations(20000);
BENCHMARK_CAPTURE(journal_step, on, true)->Iterations(20000);

}  // namespace
