#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "pipelines.hpp"

/// What was saved, and changed since, is refused and leaves the pipeline as it was, or is loaded and runs on.
extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (size == 0) return 0;
  suggestions tuner = fuzz::pipeline(data[0]);
  fuzz::steps(tuner, 10);
  std::vector<std::byte> const before = save(tuner);
  try {
    load(tuner, {reinterpret_cast<std::byte const*>(data + 1), size - 1});
  } catch (checkpoint_error const&) {
    if (save(tuner) != before) std::abort();
    return 0;
  }
  try {
    fuzz::steps(tuner, 20);
  } catch (error const&) {
  }
  return 0;
}
