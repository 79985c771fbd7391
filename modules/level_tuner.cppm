module;
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "golden_sequence.hpp"
#include "random_engine.hpp"

module autotunenet:level_tuner;

import :acquisition;
import :archive;
import :bayesian;
import :gaussian_process;
import :search_space;
import :trial;
import :unit_box;

namespace autotunenet {

/// Bayesian optimization of a metric whose level is what a configuration is worth: no training moves it. First points
/// that cover the reach, then noisy expected improvement over the incumbent, judged jointly with it; the incumbent is
/// what has the best posterior mean of all that came near being it.
class level_tuner {
 public:
  level_tuner(search_space space, bayesian_options const& options, gaussian_process surrogate);

  suggestion const& ask();
  void tell(observation const& seen);
  void fields(archive& a);

 private:
  void standardise();
  double spread(double bad);
  void learn();
  void choose_incumbent();
  void cover();
  void search();

  static constexpr double huge = 1e150;  // keeps the arithmetic of absurd metrics finite
  static constexpr double most = 1e6;    // what one absurdly good metric may count for

  search_space space_;
  gaussian_process surrogate_;
  acquisition_search everywhere_;
  acquisition_search nearby_;
  detail::golden_sequence sequence_;
  detail::random_engine random_;
  unit_box reach_;
  unit_box box_;
  std::vector<double> metrics_;   // of the window, oldest first
  std::vector<double> standard_;  // the same, as worths
  std::vector<double> sorted_;
  std::vector<double> incumbent_;  // in unit values, as what follows
  std::vector<double> applied_;
  std::vector<double> candidate_;
  std::vector<double> other_;
  suggestion next_;
  double time_ = 0.0;
  std::uint64_t learned_ = 0;  // observations
};

inline level_tuner::level_tuner(search_space space, bayesian_options const& options, gaussian_process surrogate)
    : space_(std::move(space)),
      surrogate_(std::move(surrogate)),
      everywhere_(space_, {.seed = options.seed, .probes = 16 * space_.size(), .starts = 3, .iterations = 12}),
      nearby_(space_, {.seed = options.seed + 1, .probes = 8, .starts = 2, .iterations = 12}),
      sequence_(space_.size(), options.seed),
      random_{options.seed ^ 0x9e6c63d0876a9a47U},
      reach_(space_.size()),
      box_(space_.size()),
      incumbent_(space_.size()),
      applied_(space_.size()),
      candidate_(space_.size()),
      other_(space_.size()) {
  metrics_.reserve(options.window);
  standard_.reserve(options.window);
  sorted_.reserve(options.window);
  next_.values = options.start.empty() ? space_.center() : options.start;
  space_.to_unit(next_.values.values(), incumbent_);
}

inline suggestion const& level_tuner::ask() {
  if (++next_.number == 1) {
    next_.why = reason::start;
    return next_;
  }
  if (learned_ < space_.size() + 2)
    cover();
  else
    search();
  for (std::size_t i = 0; i < space_.size(); ++i) next_.values.assign(i, space_.from_unit(i, candidate_[i]));
  return next_;
}

inline void level_tuner::tell(observation const& seen) {
  space_.to_unit(applied_to(next_, seen), applied_);
  reach_.assign(space_, seen.within);
  time_ += 1.0;
  if (!seen.usable() && !seen.bad()) return;
  // What failed is worth as little as the worst that did not.
  double const worst = metrics_.empty() ? 0.0 : *std::ranges::max_element(metrics_);
  if (metrics_.size() == surrogate_.capacity()) metrics_.erase(metrics_.begin());
  metrics_.push_back(seen.bad() ? worst : std::clamp(seen.metric, -huge, huge));
  surrogate_.append(applied_, time_, {});
  standardise();
  ++learned_;
  learn();
  surrogate_.look_at(time_ + 1.0);
  choose_incumbent();
}

/// Worths are 0 at the best four fifths' border and about 1 at that of the best tenth; how bad the worse ones are
/// counts by its logarithm only, so that cliffs do not hide what tells good from better.
inline void level_tuner::standardise() {
  sorted_ = metrics_;
  std::ranges::sort(sorted_);
  double const bad = sorted_[sorted_.size() * 4 / 5];
  double const unit = spread(bad);
  standard_.clear();
  for (double metric : metrics_) {
    double const z = unit > 0.0 ? std::clamp((bad - metric) / unit, -huge, most) : 0.0;
    standard_.push_back(z < 0.0 ? -std::log1p(-z) : z);
  }
  surrogate_.values(standard_);
}

/// From the bad ones down to the best tenth: the side that matters.
inline double level_tuner::spread(double bad) {
  double const below = bad - sorted_[sorted_.size() / 10];
  return below > 0.0 ? below : sorted_.back() - sorted_.front();
}

inline void level_tuner::learn() {
  std::size_t const n = surrogate_.size();
  if (n < 6 || (n > 64 && learned_ % 2 != 0)) return;
  surrogate_.learn(0.1, 3);
}

inline void level_tuner::choose_incumbent() {
  surrogate_.refer_to(incumbent_);
  if (learned_ > 1 && surrogate_.difference(applied_).mean <= 0.0) return;
  incumbent_ = applied_;
  surrogate_.refer_to(incumbent_);
}

inline void level_tuner::cover() {
  next_.why = reason::explore;
  sequence_.next(other_);
  for (std::size_t i = 0; i < space_.size(); ++i)
    candidate_[i] = settle(space_, i, other_[i], reach_.lower[i], reach_.upper[i]);
}

/// The whole reach and, since a good place is small there, a box around the incumbent whose size is drawn anew each
/// time.
inline void level_tuner::search() {
  next_.why = reason::exploit;
  constexpr acquisition_rule rule{.what = acquisition_rule::kind::expected_improvement};
  double const global = everywhere_(surrogate_, rule, incumbent_, reach_.lower, reach_.upper, candidate_);
  double const radius = 0.3 * std::pow(0.03, random_.uniform());
  for (std::size_t i = 0; i < space_.size(); ++i) {
    bool const free = space_.is_categorical(i);
    double const at = std::clamp(incumbent_[i], reach_.lower[i], reach_.upper[i]);
    box_.lower[i] = free ? 0.0 : std::max(reach_.lower[i], at - radius);
    box_.upper[i] = free ? 1.0 : std::min(reach_.upper[i], at + radius);
  }
  if (nearby_(surrogate_, rule, incumbent_, box_.lower, box_.upper, other_) > global) candidate_ = other_;
}

inline void level_tuner::fields(archive& a) {
  a.section("bayesian, of levels");
  a(surrogate_)(everywhere_)(nearby_)(sequence_)(random_)(reach_)(metrics_)(next_)(time_)(learned_);
  a.same_size(incumbent_).same_size(applied_).same_size(candidate_);
  if (metrics_.size() != surrogate_.size()) archive::refuse("holds other metrics than observations");
  auto const fits = [](double metric) { return std::abs(metric) <= huge; };  // NaN has no place in an order
  if (!std::ranges::all_of(metrics_, fits)) archive::refuse("holds metrics outside their bounds");
}

}  // namespace autotunenet
