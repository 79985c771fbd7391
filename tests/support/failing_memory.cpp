#include "failing_memory.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <new>

namespace {

constexpr std::size_t never = std::numeric_limits<std::size_t>::max();
std::atomic<std::size_t> left = never;
std::atomic<bool> failed = false;
std::atomic<std::ptrdiff_t> taken = 0;

void* take(std::size_t size, std::size_t alignment) {
  std::size_t const before = left.load();
  if (before == 0) {
    failed = true;
    throw std::bad_alloc();
  }
  if (before != never) left = before - 1;
  std::size_t const whole = (size + alignment - 1) / alignment * alignment;
  void* const memory = std::aligned_alloc(alignment, whole > 0 ? whole : alignment);
  if (!memory) throw std::bad_alloc();
  ++taken;
  return memory;
}

void give_back(void* memory) noexcept {
  if (!memory) return;
  --taken;
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) { return take(size, alignof(std::max_align_t)); }
void* operator new[](std::size_t size) { return take(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return take(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return take(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { give_back(memory); }
void operator delete[](void* memory) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete[](void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { give_back(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { give_back(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { give_back(memory); }

namespace support {

void failing_memory::fail_from(std::size_t nth) noexcept {
  failed = false;
  left = nth;
}
bool failing_memory::end() noexcept {
  left = never;
  return failed;
}
std::ptrdiff_t failing_memory::blocks() noexcept { return taken; }

}  // namespace support
