module;
#include <algorithm>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <format>
#include <memory_resource>
#include <span>
#include <utility>
#include <vector>

#include "improvement.hpp"
#include "random_engine.hpp"
#include "trust_region.hpp"

module autotunenet;

import :level_tuner;
import :unit_box;

namespace autotunenet {

namespace {

bayesian_options const& checked(bayesian_options const& options, search_space const& space) {
  check_start(space, options.start, "bayesian");
  if (options.window < 8 || options.window > 1024) {
    throw invalid_option(std::format("bayesian: window = {} must lie between 8 and 1024", options.window));
  }
  if (options.half_life && !(*options.half_life > 0.0)) {
    throw invalid_option(std::format("bayesian: half_life = {} must be above 0", *options.half_life));
  }
  if (options.from == learned::level && !options.earlier.empty()) {
    throw invalid_option("bayesian: earlier tells improvements; with `learned::level` nothing can be made of it");
  }
  if (!(options.caution >= 0.0) || !std::isfinite(options.caution)) {
    throw invalid_option(std::format("bayesian: caution = {} must be finite and not below 0", options.caution));
  }
  return options;
}

constexpr double usual_half_life = 64.0;

gaussian_process make_surrogate(search_space const& space, bayesian_options const& options) {
  bool const levels = options.from == learned::level;
  double const unless_told = levels ? 32.0 * static_cast<double>(options.window) : usual_half_life;
  gaussian_process_options made{.categorical = {},
                                .capacity = options.window,
                                .half_life = options.half_life.value_or(unless_told),
                                .learn_half_life = levels && !options.half_life};
  if (levels) made.subset = options.window;
  for (std::size_t i = 0; i < space.size(); ++i) made.categorical.push_back(space.is_categorical(i));
  return gaussian_process(std::move(made));
}

/// In few dimensions a search is done sooner.
acquisition_options search_options(std::size_t dimensions, std::uint64_t seed) {
  return {.seed = seed, .probes = dimensions == 1 ? 3U : 4U, .iterations = std::min<std::size_t>(5, 2 + dimensions)};
}

/// Looks near the incumbent and returns to it, by turns; the incumbent moves on evidence.
class bayesian_tuner {
 public:
  bayesian_tuner(search_space space, bayesian_options const& options)
      : space_(std::move(space)),
        caution_(checked(options, space_).caution),
        surrogate_(make_surrogate(space_, options)),
        search_(space_, search_options(space_.size(), options.seed)),
        random_{options.seed ^ 0x5bd1e9955bd1e995U},
        reach_(space_.size()),
        box_(space_.size()),
        incumbent_(space_.size()),
        native_(space_.size()),
        applied_(space_.size()),
        before_(space_.size()),
        step_(space_.size()),
        candidate_(space_.size()),
        looking_(space_.size(), true),
        located_(space_.size(), false) {
    double const half_life = options.half_life.value_or(usual_half_life);
    region_.patience = std::max<std::size_t>(8, 2 * space_.size());
    region_.memory = static_cast<std::size_t>(std::clamp(half_life, 8.0, 4096.0));
    next_.values = options.start.empty() ? space_.center() : options.start;
    space_.to_unit(next_.values.values(), incumbent_);
    recall(options.earlier, half_life);
  }

  suggestion const& ask() {
    if (++next_.number == 1) {
      next_.why = reason::start;
      return next_;
    }
    surrogate_.look_at(time_ + 1.0);
    surrogate_.refer_to(incumbent_);
    if (turn_to_look())
      look();
    else
      stay_or_move();
    suggest();
    return next_;
  }

  void tell(observation const& seen) {
    std::span<double const> const native = applied_to(next_, seen);
    reach_.assign(space_, seen.within);
    native_.assign(native.begin(), native.end());
    space_.to_unit(native, applied_);
    time_ += 1.0;
    if (seen.bad())
      fail();
    else if (seen.usable())
      measure(seen);
    else
      skip(seen);
  }

  void fields(archive& a) {
    a.section("bayesian");
    a(surrogate_)(search_)(credit_)(region_)(random_)(reach_)(box_)(next_);
    a.same_size(incumbent_).same_size(native_).same_size(applied_).same_size(before_).same_size(step_);
    a.same_size(candidate_).same_size(looking_).same_size(located_);
    a(time_)(skipped_steps_)(shared_noise_)(since_learning_)(turns_)(staying_);
    a(chained_)(looking_now_)(moved_)(recovering_);
  }

 private:
  /// The candidate in native units. Where it is what ran last, to the last bit that: nothing is due.
  void suggest() {
    auto const same = [](double a, double b) { return std::abs(a - b) <= 1e-12; };
    if (std::ranges::equal(candidate_, applied_, same)) {
      next_.why = reason::hold;
      next_.values.assign(native_);
      return;
    }
    for (std::size_t i = 0; i < space_.size(); ++i) next_.values.assign(i, space_.from_unit(i, candidate_[i]));
  }

  void fail() {
    learn({.value = credit_.failure().value});
    chained_ = false;
    credit_.forget_baseline();
    recovering_ = true;
    skipped_steps_ = 0.0;
  }

  /// Neighbours in what is kept were not neighbours in that run, so none are chained.
  void recall(std::span<earlier_stretch const> earlier, double half_life) {
    if (earlier.empty()) return;
    std::size_t const most = surrogate_.capacity() / 2;
    std::size_t const stride = (earlier.size() + most - 1) / most;
    time_ = -static_cast<double>(earlier.size() / stride + 1) - std::min(half_life, 1e6);
    for (std::size_t i = 0; i < earlier.size(); ++i) {
      earlier_stretch const& then = earlier[i];
      check_size(then.applied.size());
      observation const seen{.metric = then.metric, .result = then.result};
      bool const kept = i % stride == 0;
      if (kept) time_ += 1.0;
      space_.to_unit(then.applied, applied_);
      if (seen.bad()) {
        if (kept) learn({.value = credit_.failure().value});
        credit_.forget_baseline();
      } else if (seen.usable() && (then.relocated || !credit_.has_baseline())) {
        credit_.baseline(then.metric, then.noise);
      } else if (seen.usable()) {
        set_step();
        detail::improvement::reward const reward = credit_.of(then.metric, then.noise, std::max(1.0, then.steps));
        if (kept) learn({.value = reward.value, .noise = reward.noise, .step = step_, .metrics = 2});
      }
      before_ = applied_;
    }
    // Another run improves by other amounts.
    credit_ = {};
    time_ = 0.0;
  }

  void check_size(std::size_t values) const {
    if (values == space_.size()) return;
    throw invalid_option(std::format(
        "bayesian: earlier holds a stretch of {} values; the search space has {} parameters", values, space_.size()));
  }

  /// What ran while nothing was measured shares the next improvement, if it was the same configuration all along.
  void skip(observation const& seen) {
    if (skipped_steps_ > 0.0 && applied_ != before_) credit_.forget_baseline();
    if (skipped_steps_ == 0.0 && credit_.has_baseline())
      set_step();
    else if (skipped_steps_ == 0.0)
      std::ranges::fill(step_, 0.0);
    before_ = applied_;
    skipped_steps_ += seen.steps > 0.0 ? seen.steps : 1.0;
  }

  void measure(observation const& seen) {
    if (seen.relocated) note_located();
    if (recovering_ || seen.relocated || time_ == 1.0) {
      incumbent_ = applied_;  // where training works is known better outside
      recovering_ = false;
      turns_ = 0;
    }
    if (skipped_steps_ > 0.0 && applied_ != before_) credit_.forget_baseline();
    if (credit_.has_baseline()) {
      if (skipped_steps_ == 0.0) set_step();
      double const steps = (seen.steps > 0.0 ? seen.steps : 1.0) + skipped_steps_;
      detail::improvement::reward const reward = credit_.of(seen.metric, seen.noise, steps);
      learn({.value = reward.value,
             .noise = reward.noise,
             .step = step_,
             .metrics = 2,
             .chained = chained_,
             .shared_noise = reward.shared});
      chained_ = true;
      shared_noise_ += 0.1 * (reward.shared - shared_noise_);
    } else {
      credit_.baseline(seen.metric, seen.noise);
      chained_ = false;
    }
    before_ = applied_;
    skipped_steps_ = 0.0;
  }

  /// What trials from one state have found is known better than metrics of a run that goes on can tell, and looks far
  /// from it cost more than they teach.
  void note_located() {
    constexpr double rounding = 1e-9;
    for (std::size_t i = 0; i < space_.size(); ++i) {
      if (std::abs(applied_[i] - before_[i]) > rounding) located_[i] = true;
    }
  }

  void set_step() {
    for (std::size_t i = 0; i < step_.size(); ++i) step_[i] = space_.is_categorical(i) ? 0.0 : applied_[i] - before_[i];
  }

  void learn(observed_worth const& seen) {
    surrogate_.append(applied_, time_, seen);
    std::size_t const n = surrogate_.size();
    std::size_t const interval = n <= 16 ? 1 : n <= 32 ? 2 : 8;  // a little and often, at a cost that stays even
    if (n < 6 || ++since_learning_ < interval) return;
    since_learning_ = 0;
    surrogate_.learn();
  }

  /// A look walks outwards for as many turns as the reach needs to cross the trust region, and stays there; then the
  /// incumbent has twice as many, since staying tells what a place is worth from what the move there did.
  bool turn_to_look() {
    if (next_.number == 2 || recovering_) {
      turns_ = 0;
      looking_now_ = false;
      return false;
    }
    if (looking_now_ && turns_ > 0 && turns_ <= staying_ && clearly_worse()) turns_ = 0;
    if (turns_ == 0) {
      looking_now_ = !looking_now_;
      moved_ = false;
      staying_ = patience() - 1;
      turns_ = crossing() + staying_;
      if (looking_now_)
        choose_dimensions();
      else
        turns_ *= region_.radius <= detail::trust_region::narrowest ? 4 : 2;
    }
    --turns_;
    return looking_now_;
  }

  /// Turns that one look deserves. However long a look, its improvements add up to one metric less another: where the
  /// noise of metrics hides what configurations are worth, fewer and longer looks tell more.
  std::size_t patience() const {
    hyperparameters const& known = surrogate_.parameters();
    double const turns = 2.0 * std::hypot(known.metric, shared_noise_) / known.signal;
    return turns > 1.0 ? static_cast<std::size_t>(std::min(turns, 4.0)) : 1;
  }

  bool clearly_worse() const {
    posterior const found = surrogate_.difference(candidate_);
    return found.mean < -std::sqrt(found.variance);
  }

  double half_reach(std::size_t i) const { return 0.5 * (reach_.upper[i] - reach_.lower[i]); }

  /// The trust region along one dimension, and at most so many of the steps that a guard allows: a wide search space is
  /// no reason to look far from where training works.
  double trusted(std::size_t i) const {
    constexpr double steps = 2.0, steps_if_located = 0.5;
    return std::min(region_.radius, (located_[i] ? steps_if_located : steps) * half_reach(i));
  }

  std::size_t crossing() const {
    double turns = 1.0;
    for (std::size_t i = 0; i < space_.size(); ++i) {
      if (!space_.is_categorical(i) && half_reach(i) > 0.0)
        turns = std::max(turns, std::ceil(trusted(i) / half_reach(i)));
    }
    return static_cast<std::size_t>(turns);
  }

  /// Some of the dimensions: what several do at once is hard to tell apart, and costs more.
  void choose_dimensions() {
    bool any = space_.size() == 1;
    looking_[0] = any;
    while (!any) {
      for (std::size_t i = 0; i < space_.size(); ++i) {
        looking_[i] = random_.uniform() < 0.5;
        any = any || looking_[i];
      }
    }
  }

  /// The trust region inside the reach; only some dimensions are free where `some` says so.
  void enclose(bool some) {
    for (std::size_t i = 0; i < space_.size(); ++i) {
      double const at = std::clamp(incumbent_[i], reach_.lower[i], reach_.upper[i]);
      if (some && !looking_[i]) {
        box_.lower[i] = box_.upper[i] = at;
      } else if (space_.is_categorical(i)) {
        box_.lower[i] = 0.0;
        box_.upper[i] = 1.0;
      } else {
        double below = incumbent_[i] - trusted(i);
        double above = incumbent_[i] + trusted(i);
        if (space_.count(i) > 0.0) {
          double const native = space_.from_unit(i, incumbent_[i]);
          below = std::min(below, space_.to_unit(i, native - 1.0));
          above = std::max(above, space_.to_unit(i, native + 1.0));
        }
        box_.lower[i] = std::min(at, std::max(below, reach_.lower[i]));
        box_.upper[i] = std::max(at, std::min(above, reach_.upper[i]));
      }
    }
  }

  void look() {
    if (turns_ < staying_) {
      for (std::size_t i = 0; i < space_.size(); ++i) {
        candidate_[i] = settle(space_, i, candidate_[i], reach_.lower[i], reach_.upper[i]);
      }
      next_.why = reason::explore;
      return;
    }
    enclose(true);
    search_(surrogate_, {.what = acquisition_rule::kind::expected_improvement}, incumbent_, box_.lower, box_.upper,
            candidate_);
    next_.why = reason::explore;
  }

  void stay_or_move() {
    enclose(false);
    double const gain = search_(surrogate_, {.what = acquisition_rule::kind::confidence_bound, .weight = -caution_},
                                incumbent_, box_.lower, box_.upper, candidate_);
    bool const better = gain > 1e-9 && !recovering_ && candidate_ != incumbent_;
    if (better) {
      incumbent_ = candidate_;
      region_.moved();
      moved_ = true;
    } else {
      if (turns_ == 0 && !moved_) region_.stayed();
      for (std::size_t i = 0; i < space_.size(); ++i) {
        candidate_[i] = settle(space_, i, incumbent_[i], reach_.lower[i], reach_.upper[i]);
      }
    }
    next_.why = reason::exploit;
  }

  search_space space_;
  double caution_;
  gaussian_process surrogate_;
  acquisition_search search_;
  detail::improvement credit_;
  detail::trust_region region_;
  detail::random_engine random_;
  unit_box reach_;
  unit_box box_;
  std::vector<double> incumbent_;  // in unit values, as what follows
  std::vector<double> native_;     // applied, in native units
  std::vector<double> applied_;
  std::vector<double> before_;  // applied in the stretch before
  std::vector<double> step_;
  std::vector<double> candidate_;
  std::vector<bool> looking_;
  std::vector<bool> located_;  // by trials outside
  suggestion next_;
  double time_ = 0.0;
  double skipped_steps_ = 0.0;
  double shared_noise_ = 0.0;
  std::size_t since_learning_ = 0;
  std::size_t turns_ = 0;    // left of the look or the stay
  std::size_t staying_ = 0;  // of them, after the walk
  bool chained_ = false;     // whether the newest reward ends in the baseline
  bool looking_now_ = false;
  bool moved_ = false;
  bool recovering_ = false;
};

}  // namespace

suggestions bayesian(search_space space, bayesian_options options, std::pmr::memory_resource* memory) {
  if (options.from == learned::level) {
    gaussian_process surrogate = make_surrogate(space, checked(options, space));
    return drive(level_tuner(std::move(space), options, std::move(surrogate)), memory);
  }
  return drive(bayesian_tuner(std::move(space), options), memory);
}

}  // namespace autotunenet
