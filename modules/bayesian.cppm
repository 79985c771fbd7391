module;
#include <cstddef>
#include <cstdint>
#include <memory_resource>

export module autotunenet:bayesian;

import :generator;
import :search_space;

export namespace autotunenet {

struct bayesian_options {
  std::uint64_t seed = 0;
  /// Where to begin; empty: the center of the space.
  configuration start{};
  /// Observations kept; older ones are forgotten. 8 to 1024.
  std::size_t window = 128;
  /// The age, in observations, at which the correlation with the present has fallen to one half.
  double half_life = 64.0;
  /// How sure the surrogate must be, in standard deviations, that another configuration is better before it moves
  /// there; 0 follows the mean.
  double caution = 0.5;
};

/// The default tuner: Bayesian optimization by a time-varying Gaussian process of what each configuration was worth,
/// the improvement of the metric per step in units of recent improvements. Throws `invalid_option`.
suggestions bayesian(search_space space, bayesian_options options = {}, std::pmr::memory_resource* memory = nullptr);

}  // namespace autotunenet
