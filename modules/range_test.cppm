module;
#include <cstddef>
#include <memory_resource>
#include <string>

export module autotunenet:range_test;

import :generator;

export namespace autotunenet {

struct range_test_options {
  std::string parameter = "lr";  ///< a real parameter on a log scale
  std::size_t horizon = 0;       ///< observations that the run will have; 0: not known
  double budget = 0.05;          ///< fraction of the horizon spent at most
};

/// A stage that finds where a parameter on a log scale works, before the inner tuner begins, whatever the start:
/// training state is saved, the parameter sweeps upwards while the metric is watched, and the state is put back (Smith
/// 2017, "Cyclical learning rates", section 3.3). The tuner then begins at what was found. Left out where the trainer
/// cannot restore its state, or the horizon is too short for a sweep.
class range_test {
 public:
  explicit range_test(range_test_options options = {}, std::pmr::memory_resource* memory = nullptr);
  suggestions operator()(suggestions inner) const;

 private:
  range_test_options options_;
  std::pmr::memory_resource* memory_;
};

}  // namespace autotunenet
