module;
#include <algorithm>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <format>
#include <limits>
#include <memory_resource>
#include <numbers>
#include <span>
#include <utility>
#include <vector>

#include "golden_sequence.hpp"
#include "parzen.hpp"
#include "random_engine.hpp"

module autotunenet;

import :unit_box;

namespace autotunenet {

namespace {

tpe_options const& checked(tpe_options const& options, search_space const& space) {
  check_start(space, options.start, "tpe");
  if (options.start_up < 1) throw invalid_option("tpe: start_up = 0 must be at least 1");
  if (options.candidates < 1) throw invalid_option("tpe: candidates = 0 must be at least 1");
  if (options.window < 8 || options.window > 65536) {
    throw invalid_option(std::format("tpe: window = {} must lie between 8 and 65536", options.window));
  }
  if (!(options.good_fraction > 0.0 && options.good_fraction < 1.0)) {
    throw invalid_option(
        std::format("tpe: good_fraction = {} must lie between 0 and 1, both excluded", options.good_fraction));
  }
  return options;
}

class tpe_tuner {
 public:
  tpe_tuner(search_space space, tpe_options const& options)
      : space_(std::move(space)),
        options_(checked(options, space_)),
        sequence_(space_.size(), options.seed),
        random_{options.seed ^ 0x2545f4914f6cdd1dU},
        reach_(space_.size()),
        points_(space_.size() * options.window),
        metrics_(options.window),
        order_(options.window),
        point_(space_.size()),
        good_(options.window),
        bad_(options.window) {
    next_.values = options.start.empty() ? space_.center() : options.start;
  }

  suggestion const& ask() {
    if (++next_.number == 1) {
      next_.why = reason::start;
      return next_;
    }
    std::size_t const good = rank();
    // Until the estimators have something to tell apart, and when nothing has worked so far, cover the space.
    bool const learned = next_.number > options_.start_up && good > 0;
    next_.why = learned ? reason::exploit : reason::explore;
    if (!learned) sequence_.next(point_);
    for (std::size_t i = 0; i < space_.size(); ++i) {
      double const to = learned ? pick(i, good) : point_[i];
      next_.values.assign(i, space_.from_unit(i, settle(space_, i, to, reach_.lower[i], reach_.upper[i])));
    }
    return next_;
  }

  void tell(observation const& seen) {
    std::span<double const> const native = applied_to(next_, seen);
    reach_.assign(space_, seen.within);
    if (!seen.usable() && !seen.bad()) return;
    std::size_t const at = static_cast<std::size_t>(seen_++ % options_.window);
    for (std::size_t i = 0; i < space_.size(); ++i) points_[i * options_.window + at] = space_.to_unit(i, native[i]);
    metrics_[at] = seen.bad() ? std::numeric_limits<double>::infinity() : seen.metric;
  }

  void fields(archive& a) {
    a.section("tpe");
    a(sequence_)(random_)(reach_)(next_)(seen_);
    a.same_size(points_).same_size(metrics_);
    // NaN has no place in an order.
    bool const ordered = std::ranges::none_of(metrics_, [](double metric) { return std::isnan(metric); });
    bool const inside = std::ranges::all_of(points_, [](double unit) { return unit >= 0.0 && unit <= 1.0; });
    if (!ordered || !inside) archive::refuse("holds points or metrics outside their bounds");
  }

 private:
  std::size_t size() const { return static_cast<std::size_t>(std::min<std::uint64_t>(seen_, options_.window)); }

  /// Puts the good ones first into `order_`, and says how many they are: none that failed.
  std::size_t rank() {
    std::size_t const n = size();
    for (std::size_t i = 0; i < n; ++i) order_[i] = i;
    auto const share = static_cast<std::size_t>(std::ceil(options_.good_fraction * static_cast<double>(n)));
    std::size_t const wanted = std::min<std::size_t>({share, 25, n});
    auto const better = [this](std::size_t a, std::size_t b) {
      return metrics_[a] != metrics_[b] ? metrics_[a] < metrics_[b] : a < b;
    };
    std::partial_sort(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(wanted),
                      order_.begin() + static_cast<std::ptrdiff_t>(n), better);
    std::size_t usable = 0;
    while (usable < wanted && std::isfinite(metrics_[order_[usable]])) ++usable;
    return usable;
  }

  /// Of some candidates drawn from the good density, the one that maximises good / bad (equation 15).
  double pick(std::size_t i, std::size_t good) {
    double const* const column = points_.data() + i * options_.window;
    double const count = space_.is_categorical(i) ? space_.count(i) : 0.0;
    good_.fit(column, std::span(order_).first(good), count);
    bad_.fit(column, std::span(order_).subspan(good, size() - good), count);
    double best = 0.5;
    double most = -std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k < options_.candidates; ++k) {
      double const drawn = good_.draw(random_);
      double const to = settle(space_, i, drawn, 0.0, 1.0);
      double const value = std::log(good_.density(to)) - std::log(bad_.density(to));
      if (value > most) {
        most = value;
        best = to;
      }
    }
    return best;
  }

  search_space space_;
  tpe_options options_;
  detail::golden_sequence sequence_;
  detail::random_engine random_;
  unit_box reach_;
  std::vector<double> points_;  // dimension by dimension, unit values
  std::vector<double> metrics_;
  std::vector<std::size_t> order_;
  std::vector<double> point_;
  detail::parzen good_;
  detail::parzen bad_;
  suggestion next_;
  std::uint64_t seen_ = 0;
};

}  // namespace

suggestions tpe(search_space space, tpe_options options, std::pmr::memory_resource* memory) {
  return drive(tpe_tuner(std::move(space), options), memory);
}

}  // namespace autotunenet
