#pragma once
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

import autotunenet;

using namespace autotunenet;

namespace support {

inline constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
inline constexpr double infinity = std::numeric_limits<double>::infinity();

/// An observation, as a tuner was told it.
struct told {
  double metric;
  outcome result;
  std::uint64_t number;
  std::vector<double> applied;
  double steps;
  bool restorable;
  double validation;
  coverage covers;
  event noticed;
};

/// What a tuner suggests once.
struct line {
  std::vector<double> values;
  training_state state = training_state::keep;
  reason why = reason::explore;
};

/// Suggests line after line, the last one for ever, and keeps what it is told.
inline suggestions scripted(search_space space, std::vector<line> script, std::vector<told>& seen, bool ends = false) {
  suggestion next;
  next.values = space.center();
  for (std::size_t i = 0; i < script.size() || !ends; ++i) {
    line const& now = script[std::min(i, script.size() - 1)];
    ++next.number;
    next.values.assign(now.values);
    next.state = i < script.size() ? now.state : training_state::keep;
    next.why = now.why;
    observation const& answer = co_yield next;
    seen.push_back({answer.metric,
                    answer.result,
                    answer.number,
                    {answer.applied.begin(), answer.applied.end()},
                    answer.steps,
                    answer.restorable,
                    answer.validation,
                    answer.covers,
                    answer.noticed});
  }
}

inline std::vector<outcome> results(std::vector<told> const& seen) {
  std::vector<outcome> all;
  for (told const& t : seen) all.push_back(t.result);
  return all;
}
inline std::size_t times(std::vector<told> const& seen, event what) {
  std::size_t n = 0;
  for (told const& t : seen) n += has(t.noticed, what) ? 1 : 0;
  return n;
}
inline search_space rates() { return {real{"lr", 1e-6, 100.0, scale::log}}; }

}  // namespace support
