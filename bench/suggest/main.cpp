// The suggest path, and its goals.
#include <string>

#include "goals.hpp"

int main(int count, char** given) {
  suggest::medians found;
  if (!suggest::run_all(count, given, found)) return 1;
  std::string const step = "gaussian_process_step/real/n:128/d:";
  double const at_4 = found.time(step + "4");
  double const few = found.time("after_observations/1000");
  double const many = found.time("after_observations/1000000");
  suggest::goal const goals[] = {
      {"ask and tell, n = 128, d = 4, against 256 candidates", 0.5, at_4 / found.time("composite_step/n:128/d:4")},
      {"its 99th percentile against its median", 10.0, found.counter("tail", "p99_over_p50")},
      {"its 99th percentile", 2000.0, found.counter("tail", "p99_us"), " us"},
      {"d = 1 against d = 4", 0.8, found.time(step + "1") / at_4},
      {"d = 8 against d = 4", 1.6, found.time(step + "8") / at_4},
      {"d = 16 against d = 4", 3.0, found.time(step + "16") / at_4},
      {"observation 1,000,000 against 1,000", 1.1, many / few},
      {"bytes held then, against those at 1,000", 1.0,
       found.counter("after_observations/1000000", "bytes") / found.counter("after_observations/1000", "bytes")},
      {"smooth, every and guard beyond the bare coroutine", 60.0,
       found.time("stages/smooth_every_guard") - found.time("stages/none"), " ns"},
      {"allocations a step, tuner and guard", 0.0, found.counter("pipeline/tuner_and_guard/d:4", "allocations")},
      {"allocations a step, all stages", 0.0, found.counter("pipeline/all/d:4", "allocations")},
      {"journal on, beyond off", 3000.0, found.time("journal_step/on") - found.time("journal_step/off"), " ns"},
  };
  suggest::print(goals);
}
