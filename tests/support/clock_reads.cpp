#include "clock_reads.hpp"

#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <ctime>

#include "sanitized.hpp"

namespace {

std::atomic<std::size_t> reads = 0;

}  // namespace

#ifndef AUTOTUNENET_SANITIZED
// A program's own functions come before the C library's.
extern "C" {

int clock_gettime(clockid_t which, timespec* now) noexcept {
  reads.fetch_add(1, std::memory_order_relaxed);
  return static_cast<int>(::syscall(SYS_clock_gettime, which, now));
}
int gettimeofday(timeval* now, void* zone) noexcept {
  reads.fetch_add(1, std::memory_order_relaxed);
  return static_cast<int>(::syscall(SYS_gettimeofday, now, zone));
}
time_t time(time_t* now) noexcept {
  timespec read{};
  clock_gettime(CLOCK_REALTIME, &read);
  if (now) *now = read.tv_sec;
  return read.tv_sec;
}

}  // extern "C"
#endif

namespace support {

bool clock_reads::counted() noexcept {
#ifdef AUTOTUNENET_SANITIZED
  return false;
#else
  return true;
#endif
}
std::size_t clock_reads::total() noexcept { return reads.load(std::memory_order_relaxed); }

}  // namespace support
