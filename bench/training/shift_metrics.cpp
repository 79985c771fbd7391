#include "shift_metrics.hpp"

#include <algorithm>
#include <cmath>

namespace training {

shift_metrics measure_shift(std::span<measurement const> history, double from, double level) {
  auto const loss = [](measurement const& m) { return std::isfinite(m.val_loss) ? std::min(m.val_loss, 10.0) : 10.0; };
  shift_metrics out;
  double before = unknown, at = from, worst = 0.0, sum = 0.0, final = unknown;
  bool recovered = false;
  for (auto const& m : history) {
    if (m.epoch <= from) {
      before = loss(m);
      continue;
    }
    final = loss(m);
    worst = std::max(worst, final);
    sum += final * (m.epoch - at);
    at = m.epoch;
    if (!recovered) out.recovery = at - from;
    recovered = recovered || final <= level;
  }
  if (std::isnan(final)) return out;
  out.spike = worst / before;
  out.degradation = final - before;
  out.cumulative = sum;
  return out;
}

}  // namespace training
