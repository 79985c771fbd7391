module;
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <format>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

export module support.guard_referee;

import autotunenet;

using namespace autotunenet;

export namespace support {

/// What a guard promises, in terms of what goes out of it and comes in alone. The first broken promise is `problem`.
class referee {
 public:
  referee(search_space space, guard_options options) : space_(std::move(space)), options_(std::move(options)) {}

  std::string problem;

  void suggested(suggestion const& next) {
    std::span<double const> const values = next.values.values();
    settle_last(next);
    if (next.number != history_.size() + 1) complain("numbers do not count up by one");
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!space_.contains(i, values[i])) complain("outside the bounds");
    }
    bool const goes_back = has(next.state, training_state::return_to_trial | training_state::return_to_origin);
    bool const trial_ends = goes_back || last_.why == reason::range_test;
    bool const acts_itself =
        (goes_back && next.why == reason::range_test) || has(next.state, training_state::return_to_best);
    bool const remedy = next.why == reason::rollback || next.why == reason::back_off;
    // A trial that led nowhere is undone: for what ran before it, it never was.
    bool const in_vain = last_.why == reason::range_test && next.why == reason::hold;
    for (auto last = history_.rbegin(); in_vain && last != history_.rend() && last->went == way::trial; ++last)
      last->went = way::skipped;
    if (next.why == reason::cooldown) {
      if (!std::ranges::equal(values, remedy_)) complain("did not hold in cooldown");
    } else if (next.why == reason::rollback) {
      if (!survived(values)) complain("rolled back to what never survived patience");
    } else if (!history_.empty() && !remedy && !trial_ends && next.why != reason::range_test) {
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (!reachable(i, history_.back().ran[i], values[i])) complain("moved further than max_delta");
      }
    }
    bool const failed = !history_.empty() && history_.back().went == way::failed;
    if (failed && !remedy && !acts_itself) complain("a failure did not act");
    // Where a trial ends is its own affair: it may begin again lower than it did, but above what the tuner made of it.
    if (next.why == reason::back_off && !trial_ends && is_back_off_up(values)) complain("backed off upwards");
    if (remedy) remedy_.assign(values.begin(), values.end());
    last_ = next;
  }

  void observed(std::span<double const> ran, observation const& seen) {
    if (history_.empty()) patience_ = options_.patience.value_or(seen.covers == coverage::epoch ? 2 : 3);
    way went = way::fine;
    if (last_.why == reason::range_test)
      went = way::trial;
    else if (seen.result == outcome::skipped)
      went = way::skipped;
    else if (seen.bad())
      went = way::failed;
    history_.push_back({{ran.begin(), ran.end()}, went});
  }

  void told(observation const& seen) {
    if (!std::ranges::equal(seen.applied, history_.back().ran)) complain("the tuner was told what did not run");
    for (std::size_t i = 0; i < space_.size(); ++i) {
      double const low = seen.within.lower[i];
      double const high = seen.within.upper[i];
      if (!(0.0 <= low && low <= high && high <= 1.0)) complain("the reach is no box");
    }
  }

  /// Whether what ran at the step before `place` of the run is `values`.
  bool ran_before(std::size_t place, std::span<double const> values) const {
    return place > 0 && std::ranges::equal(history_[place - 1].ran, values);
  }

 private:
  enum class way { fine, regressed, failed, skipped, trial };
  struct step {
    std::vector<double> ran;
    way went;
  };

  // Only the guard can say whether its own threshold was passed, and it says so with the next suggestion.
  void settle_last(suggestion const& next) {
    if (history_.empty()) return;
    step& last = history_.back();
    if (has(next.events, event::regressed) && last.went == way::fine) last.went = way::regressed;
    bool const bad = last.went == way::failed || last.went == way::regressed;
    if (bad && has(next.events, event::became_good)) complain("something bad became good");
    if (bad && has(next.events, event::rebased) && last.went == way::failed) complain("rebased onto a failure");
  }

  bool survived(std::span<double const> values) const {
    for (std::size_t i = 0; i < history_.size(); ++i) {
      if (history_[i].went != way::fine || !std::ranges::equal(history_[i].ran, values)) continue;
      std::size_t healthy = 0;
      for (std::size_t k = i + 1; k < history_.size() && healthy < patience_; ++k) {
        if (history_[k].went == way::skipped) continue;
        if (history_[k].went != way::fine) break;
        ++healthy;
      }
      if (healthy == patience_) return true;
    }
    return false;
  }

  // The contract of max_delta, written down a second time.
  bool reachable(std::size_t i, double from, double to) const {
    constexpr double slack = 1.0 + 1e-9;
    if (to == space_.clamp(i, from)) return true;  // brought inside the bounds, or stayed
    parameter const& p = space_[i];
    if (std::holds_alternative<categorical>(p)) return true;
    if (std::holds_alternative<integer>(p) && std::abs(to - from) <= 1.0) return true;
    auto const near = [&](auto const& kind) {
      if (kind.spacing == scale::log) {
        double const ratio = std::max(to / from, from / to);
        return ratio <= (1.0 + options_.max_delta) * slack;
      }
      double const range = static_cast<double>(kind.max) - static_cast<double>(kind.min);
      return std::abs(to - from) <= options_.max_delta * std::max(std::abs(from), range / 10.0) * slack;
    };
    if (auto const* r = std::get_if<real>(&p)) return near(*r);
    return near(std::get<integer>(p));
  }

  bool is_back_off_up(std::span<double const> values) const {
    auto const lr = space_.find("lr");
    return lr && values[*lr] > space_.clamp(*lr, history_.back().ran[*lr]);
  }

  void complain(char const* what) {
    if (problem.empty()) problem = std::format("step {}: {}", history_.size() + 1, what);
  }

  search_space space_;
  guard_options options_;
  std::size_t patience_ = 0;
  std::vector<step> history_;
  std::vector<double> remedy_;
  suggestion last_;
};

}  // namespace support
