export module autotunenet:smoothing;

import autotunenet.standard;
import :generator;
import :moving_average;

export namespace autotunenet {

struct smooth_options {
  std::size_t window = 5;  ///< in observations, 1 to 4096
  averaging kind = averaging::window;
};

/// A stage that passes on the average of recent metrics instead of the metric, and a standard error to match. A failed
/// or skipped observation passes through as it is, and leaves no trace in the average; so does one of a reversible
/// trial. Throws `invalid_option`.
class smooth {
 public:
  explicit smooth(smooth_options options = {}, std::pmr::memory_resource* memory = nullptr);
  suggestions operator()(suggestions inner) const;

 private:
  smooth_options options_;
  std::pmr::memory_resource* memory_;
};

}  // namespace autotunenet
