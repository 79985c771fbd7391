#pragma once
#include <ctime>

namespace bench {

/// CPU time of this thread alone, in microseconds, so that a busy machine does not count.
inline double cpu_microseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e6 * static_cast<double>(now.tv_sec) + 1e-3 * static_cast<double>(now.tv_nsec);
}

}  // namespace bench
