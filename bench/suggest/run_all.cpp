#include <benchmark/benchmark.h>

#include <vector>

#include "goals.hpp"

namespace suggest {

bool run_all(int count, char** given, medians& into) {
  char repeats[] = "--benchmark_repetitions=5";
  char interleaved[] = "--benchmark_enable_random_interleaving=true";
  char quick[] = "--benchmark_min_time=0.05";
  std::vector<char*> flags{given[0], repeats, interleaved, quick};
  flags.insert(flags.end(), given + 1, given + count);  // the last of several counts
  int all = static_cast<int>(flags.size());
  flags.push_back(nullptr);
  benchmark::Initialize(&all, flags.data());
  if (benchmark::ReportUnrecognizedArguments(all, flags.data())) return false;
  benchmark::RunSpecifiedBenchmarks(&into);
  benchmark::Shutdown();
  return true;
}

}  // namespace suggest
