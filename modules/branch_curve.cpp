#include "branch_curve.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>

namespace autotunenet {

namespace {
constexpr double infinite = std::numeric_limits<double>::infinity();
// Beyond this a branch is only known to be too far, whatever it measured.
constexpr double far_above = 1.0;
// A branch encloses the turning point when it is clearly beyond it: one that is only just may be so by noise.
constexpr double clearly = 2.33;
// Of the best branch's standard error, what it has to have gained since the start to have trained at all.
constexpr double clear_gain = 10.0;
// Where two branches enclose the threshold, the one below counts as at least this part of it: on a log scale an excess
// of nearly nothing would push the crossing to the one above.
constexpr double least_part = 2.0 / 3.0;
}  // namespace

std::optional<double> branch_curve::next() const noexcept {
  // A low branch first: it is nearly as good as any, and so tells what "best" means.
  if (!known(-2)) return 0.25;
  if (!known(0)) return 1.0;
  excess const now = measure();
  auto const over = [&](int exponent, double margin) {
    return known(exponent) && now.above[slot(exponent)] >= std::min(margin * now.threshold, far_above);
  };
  int top = highest;
  while (!known(top)) --top;
  if (!over(top, clearly)) return top < highest ? std::optional{std::exp2(top + 1)} : std::nullopt;
  if (top > 0) return std::nullopt;
  if (!known(-1)) return 0.5;
  if ((over(-1, 1.0) || over(-2, 1.0)) && !known(lowest)) return std::exp2(lowest);
  return std::nullopt;
}

void branch_curve::add(double multiple, double mean, double error) noexcept {
  branches_[slot(static_cast<int>(std::lround(std::log2(multiple))))] = {true, mean, error};
}

// What is left after annealing can only rise with the multiple, noise apart: the pool-adjacent-violators algorithm
// (Ayer et al. 1955) gives the nearest sequence that does. A branch that is too low to have got anywhere is pooled too.
std::array<double, branch_curve::size> branch_curve::monotone() const noexcept {
  struct block {
    double sum;
    double count;
  };
  std::array<block, size> blocks{};
  std::size_t used = 0;
  for (branch const& b : branches_) {
    if (!b.known) continue;
    blocks[used++] = {b.mean, 1.0};
    while (used > 1 && blocks[used - 2].sum * blocks[used - 1].count >= blocks[used - 1].sum * blocks[used - 2].count) {
      blocks[used - 2].sum += blocks[used - 1].sum;
      blocks[used - 2].count += blocks[used - 1].count;
      --used;
    }
  }
  std::array<double, size> fitted{};
  std::size_t at = 0;
  double left = blocks[0].count;
  for (std::size_t i = 0; i < size; ++i) {
    if (!branches_[i].known) continue;
    if (left == 0.0) left = blocks[++at].count;
    fitted[i] = blocks[at].sum / blocks[at].count;
    left -= 1.0;
  }
  return fitted;
}

branch_curve::excess branch_curve::measure() const noexcept {
  std::array<double, size> const fitted = monotone();
  excess result;
  double best = infinite;
  double error = 0.0;
  for (std::size_t i = 0; i < size; ++i) {
    if (!branches_[i].known || !(fitted[i] < best)) continue;
    best = fitted[i];
    error = branches_[i].error;
  }
  double const gain = start_ - best;
  result.any = gain > 0.0 && std::isfinite(gain);
  result.trained = result.any && gain > clear_gain * error;
  result.threshold = result.any ? std::clamp(1.5 * error / gain, tolerance_, far_above) : tolerance_;
  for (std::size_t i = 0; i < size; ++i) {
    if (!branches_[i].known) continue;
    double const above = result.any ? (fitted[i] - best) / gain : infinite;
    result.above[i] = std::min(above, far_above);
  }
  return result;
}

std::optional<double> branch_curve::turning_point() const noexcept {
  excess const now = measure();
  if (!now.any) return std::nullopt;
  int inside = lowest;
  while (!known(inside)) ++inside;
  for (int exponent = inside + 1; exponent <= highest; ++exponent) {
    if (!known(exponent)) continue;
    double const here = now.above[slot(exponent)];
    if (here < now.threshold) {
      inside = exponent;
      continue;
    }
    double const before = std::max(now.above[slot(inside)], least_part * now.threshold);
    double const part = std::log(now.threshold / before) / std::log(here / before);
    return std::exp2(inside + std::min(part, 1.0) * (exponent - inside));
  }
  // Nothing was too far: so the highest it is, unless the metric is still what it was, as in a dead network.
  return now.trained ? std::optional{std::exp2(inside)} : std::nullopt;
}

}  // namespace autotunenet
