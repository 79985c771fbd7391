#pragma once
#include <algorithm>
#include <cstddef>

namespace autotunenet::detail {

/// How far from the incumbent it is worth looking (Eriksson et al. 2019, "Scalable global optimization via local
/// Bayesian optimization", section 2): wider after moves that succeed in a row, narrower after a run of looks that
/// found nothing. Since training drifts, a region that has stayed narrow for long opens again.
struct trust_region {
  static constexpr double first = 0.125;
  static constexpr double narrowest = 0.04;
  static constexpr double widest = 0.4;

  double radius = first;
  std::size_t patience = 8;  ///< looks in vain before it narrows
  std::size_t memory = 64;   ///< looks in vain at the narrowest before it opens again
  std::size_t successes = 0;
  std::size_t failures = 0;

  template <class Archive>
  void fields(Archive& a) {
    a.between(radius, narrowest, widest)(successes)(failures);
  }
  void moved() noexcept {
    failures = 0;
    if (++successes < 2) return;
    successes = 0;
    radius = std::min(widest, 1.5 * radius);
  }
  void stayed() noexcept {
    successes = 0;
    ++failures;
    if (radius > narrowest && failures >= patience) {
      failures = 0;
      radius = std::max(narrowest, radius / 1.5);
    } else if (radius <= narrowest && failures >= memory) {
      failures = 0;
      radius = first;
    }
  }
};

}  // namespace autotunenet::detail
