module;
#include <coroutine>
#include <cstddef>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

export module autotunenet.testing;

import autotunenet;

using namespace autotunenet;

export namespace support {

/// An observation that outlives its `tell`.
struct remembered {
  observation seen;
  std::vector<double> applied;
  std::vector<double> lower;
  std::vector<double> upper;

  explicit remembered(observation const& o)
      : seen(o),
        applied(o.applied.begin(), o.applied.end()),
        lower(o.within.lower.begin(), o.within.lower.end()),
        upper(o.within.upper.begin(), o.within.upper.end()) {}
};
using log = std::vector<remembered>;

/// A tuner that suggests what `script` makes of the suggestion before (the number is the new one already, and events
/// and wishes are gone), and remembers what it is told.
inline suggestions scripted(configuration start, std::function<void(suggestion&)> script, log* told = nullptr) {
  suggestion next;
  next.values = std::move(start);
  next.number = 1;
  for (;;) {
    observation const& seen = co_yield next;
    if (told) told->emplace_back(seen);
    ++next.number;
    next.events = event::none;
    next.state = training_state::keep;
    script(next);
  }
}

/// A tuner that always suggests the same.
inline suggestions steady(configuration values, log* told = nullptr) {
  return scripted(std::move(values), [](suggestion& next) { next.why = reason::exploit; }, told);
}

/// What `following` was told: the first value that ran, steps, and whether it was moved there.
struct course {
  std::vector<double> applied, steps;
  std::vector<bool> relocated;
};

/// A tuner that suggests what ran last.
inline suggestions following(configuration start, course* told = nullptr) {
  suggestion next{.values = std::move(start)};
  for (;;) {
    ++next.number;
    observation const& seen = co_yield next;
    if (!seen.applied.empty()) next.values.assign(seen.applied);
    if (!told) continue;
    told->applied.push_back(next.values[0]);
    told->steps.push_back(seen.steps);
    told->relocated.push_back(seen.relocated);
  }
}

/// Tells each metric in turn, and collects the suggestions: `result[i]` is what ran when `metrics[i]` was seen, and one
/// more follows.
inline std::vector<suggestion> run(suggestions& tuner, std::vector<double> const& metrics, bool restorable = false) {
  std::vector<suggestion> made{tuner.ask()};
  for (double const metric : metrics) {
    tuner.tell({.metric = metric, .restorable = restorable});
    made.push_back(tuner.ask());
  }
  return made;
}

/// `count` times the same metric.
inline std::vector<double> times(std::size_t count, double metric) { return std::vector<double>(count, metric); }

/// One sequence after the other.
inline std::vector<double> operator+(std::vector<double> first, std::vector<double> const& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

inline constexpr double quiet_nan = std::numeric_limits<double>::quiet_NaN();
inline constexpr double infinity = std::numeric_limits<double>::infinity();

}  // namespace support
