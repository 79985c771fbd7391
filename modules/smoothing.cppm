module;
#include <cstddef>
#include <cstdint>
#include <memory_resource>

export module autotunenet:smoothing;

import :generator;

export namespace autotunenet {

/// How past metrics weigh in an average.
enum class averaging : std::uint8_t {
  window,       ///< the plain mean of the last `window` metrics
  exponential,  ///< weights falling by 1 - 2 / (window + 1) per metric, corrected for the start
};

struct smooth_options {
  std::size_t window = 5;  ///< in observations, 1 to 4096
  averaging kind = averaging::window;
};

/// A stage that passes on the average of recent metrics instead of the metric. A failed or skipped observation passes
/// through as it is, and leaves no trace in the average. Throws `invalid_option`.
class smooth {
 public:
  explicit smooth(smooth_options options = {}, std::pmr::memory_resource* memory = nullptr);
  suggestions operator()(suggestions inner) const;

 private:
  smooth_options options_;
  std::pmr::memory_resource* memory_;
};

}  // namespace autotunenet
