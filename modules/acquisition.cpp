module;
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <format>
#include <limits>
#include <numbers>
#include <span>
#include <utility>
#include <vector>

#include "random_engine.hpp"

module autotunenet;

import :unit_box;

namespace autotunenet {

acquisition_value expected_improvement(posterior difference) noexcept {
  double const deviation = std::sqrt(difference.variance);
  if (deviation <= 1e-12) return {std::max(0.0, difference.mean), difference.mean > 0.0 ? 1.0 : 0.0, 0.0};
  double const z = difference.mean / deviation;
  double const density = std::exp(-0.5 * z * z) / std::sqrt(2.0 * std::numbers::pi);
  double const probability = 0.5 * std::erfc(-z / std::numbers::sqrt2);
  return {deviation * density + difference.mean * probability, probability, 0.5 * density / deviation};
}

acquisition_value confidence_bound(posterior difference, double weight) noexcept {
  double const deviation = std::sqrt(difference.variance);
  return {difference.mean + weight * deviation, 1.0, deviation <= 1e-12 ? 0.0 : 0.5 * weight / deviation};
}

struct acquisition_search::problem {
  gaussian_process const& surrogate;
  acquisition_rule rule;
  std::span<double const> lower;
  std::span<double const> upper;

  acquisition_value judge(posterior difference) const noexcept {
    return rule.what == acquisition_rule::kind::expected_improvement ? expected_improvement(difference)
                                                                     : confidence_bound(difference, rule.weight);
  }
};

acquisition_search::acquisition_search(search_space space, acquisition_options options)
    : space_(std::move(space)),
      options_(options),
      random_(options.seed),
      probes_(options.probes * space_.size()),
      values_(options.probes),
      gradient_(space_.size()),
      next_(space_.size()),
      next_gradient_(space_.size()),
      by_mean_(space_.size()),
      by_variance_(space_.size()) {
  if (options.starts < 1 || options.probes < options.starts) {
    throw invalid_option(std::format("acquisition_search: starts = {} must lie between 1 and probes = {}",
                                     options.starts, options.probes));
  }
  for (std::size_t i = 0; i < space_.size(); ++i) whole_ = whole_ || space_.count(i) > 0.0;
}

double acquisition_search::operator()(gaussian_process const& surrogate, acquisition_rule rule,
                                      std::span<double const> incumbent, std::span<double const> lower,
                                      std::span<double const> upper, std::span<double> best) {
  problem const task{surrogate, rule, lower, upper};
  std::size_t const d = space_.size();
  for (std::size_t i = 0; i < d; ++i) best[i] = settle(space_, i, incumbent[i], lower[i], upper[i]);
  double most = task.judge(surrogate.difference(best)).value;
  probe(task, incumbent);
  for (std::size_t start = 0; start < options_.starts; ++start) {
    auto const at = static_cast<std::size_t>(std::max_element(values_.begin(), values_.end()) - values_.begin());
    std::span<double> const point{probes_.data() + at * d, d};
    double const value = judge(task, point, ascend(task, point, values_[at]));
    values_[at] = -std::numeric_limits<double>::infinity();
    if (value > most) {
      most = value;
      std::copy(point.begin(), point.end(), best.begin());
    }
  }
  return whole_ ? try_categories(task, best, most) : most;
}

void acquisition_search::probe(problem const& task, std::span<double const> incumbent) {
  std::size_t const d = space_.size();
  detail::random_engine random{random_};
  for (std::size_t k = 0; k < options_.probes; ++k) {
    std::span<double> const point{probes_.data() + k * d, d};
    for (std::size_t i = 0; i < d; ++i) {
      double const free = task.lower[i] + random.uniform() * (task.upper[i] - task.lower[i]);
      // The first probe keeps the incumbent's categories.
      bool const keep = space_.is_categorical(i) && k == 0;
      double const to = keep ? incumbent[i] : free;
      point[i] = space_.is_categorical(i) ? settle(space_, i, to, task.lower[i], task.upper[i]) : to;
    }
    values_[k] = task.judge(task.surrogate.difference(point)).value;
  }
  random_ = random.state;
}

double acquisition_search::ascend(problem const& task, std::span<double> point, double value) {
  std::size_t const d = space_.size();
  auto const slope_at = [&](std::span<double const> x, std::span<double> slope) {
    acquisition_value const found = task.judge(task.surrogate.difference(x, by_mean_, by_variance_));
    for (std::size_t i = 0; i < d; ++i) {
      double const width = task.upper[i] - task.lower[i];  // the box's own width is the unit of length
      slope[i] = width * (found.by_mean * by_mean_[i] + found.by_variance * by_variance_[i]);
    }
    return found.value;
  };
  value = slope_at(point, gradient_);
  double steepest = 0.0;
  for (double slope : gradient_) steepest = std::max(steepest, std::abs(slope));
  if (!(steepest > 0.0)) return value;
  double step = 0.5 / steepest;
  for (std::size_t iteration = 0; iteration < options_.iterations; ++iteration) {
    double rise = 0.0;
    double moved = 0.0;
    for (std::size_t i = 0; i < d; ++i) {
      double const width = task.upper[i] - task.lower[i];
      next_[i] = std::clamp(point[i] + step * gradient_[i] * width, task.lower[i], task.upper[i]);
      if (width > 0.0) {
        double const by = (next_[i] - point[i]) / width;
        rise += by * gradient_[i];
        moved = std::max(moved, std::abs(by));
      }
    }
    if (moved < 1e-3) break;
    double const reached = slope_at(next_, next_gradient_);
    if (!(reached >= value + 1e-4 * rise)) {
      step *= 0.25;
      continue;
    }
    double length = 0.0;
    double bend = 0.0;
    for (std::size_t i = 0; i < d; ++i) {
      double const width = task.upper[i] - task.lower[i];
      if (!(width > 0.0)) continue;
      double const by = (next_[i] - point[i]) / width;
      length += by * by;
      bend += by * (gradient_[i] - next_gradient_[i]);
      point[i] = next_[i];
    }
    std::swap(gradient_, next_gradient_);
    value = reached;
    step = bend > 0.0 ? length / bend : 4.0 * step;
  }
  return value;
}

double acquisition_search::judge(problem const& task, std::span<double> point, double value) {
  if (!whole_) return value;
  bool changed = false;
  for (std::size_t i = 0; i < point.size(); ++i) {
    double const settled = settle(space_, i, point[i], task.lower[i], task.upper[i]);
    changed = changed || settled != point[i];
    point[i] = settled;
  }
  return changed ? task.judge(task.surrogate.difference(point)).value : value;
}

double acquisition_search::try_categories(problem const& task, std::span<double> point, double value) {
  detail::random_engine random{random_};
  for (std::size_t i = 0; i < point.size(); ++i) {
    if (!space_.is_categorical(i) || !(task.lower[i] < task.upper[i])) continue;
    auto const count = static_cast<std::uint64_t>(space_.count(i));
    std::uint64_t const first = count > options_.category_trials ? random.below(count) : 0;
    double kept = point[i];
    for (std::uint64_t k = 0; k < std::min<std::uint64_t>(count, options_.category_trials); ++k) {
      point[i] = space_.to_unit(i, static_cast<double>((first + k) % count));
      if (point[i] == kept) continue;
      double const found = task.judge(task.surrogate.difference(point)).value;
      if (found > value) {
        value = found;
        kept = point[i];
      }
    }
    point[i] = kept;
  }
  random_ = random.state;
  return value;
}

}  // namespace autotunenet
