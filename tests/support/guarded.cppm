module;
#include <coroutine>
#include <cstddef>
#include <utility>
#include <vector>

export module support.guarded;

import autotunenet;
import autotunenet.testing;

using namespace autotunenet;

export namespace support {

inline search_space space() {
  return {real{"lr", 1e-5, 1.0, scale::log}, real{"weight_decay", 0.0, 0.1}, integer{"layers", 1, 100},
          categorical{"activation", {"relu", "tanh", "gelu"}}};
}
inline configuration start() {
  return space().at({{"lr", 1e-3}, {"weight_decay", 0.0}, {"layers", 1}, {"activation", 0}});
}

/// Judges each metric by itself: any loss beyond a fifth of the gain is a regression.
inline guard_options strict() { return {.noise_margin = 0.0, .window = 1, .patience = 2, .cooldown = 3}; }

/// A tuner that raises the rate by a quarter with each suggestion.
inline suggestions climbing(log* told = nullptr) {
  auto script = [](suggestion& next) {
    next.why = reason::explore;
    next.values.assign(0, next.values[0] * 1.25);
  };
  return scripted(start(), script, told);
}
/// A tuner that wants one far configuration from the second suggestion on.
inline suggestions jumping(configuration to, log* told = nullptr) {
  auto script = [to](suggestion& next) {
    next.why = reason::explore;
    next.values = to;
  };
  return scripted(start(), script, told);
}

inline std::size_t count(std::vector<suggestion> const& made, event what) {
  std::size_t n = 0;
  for (suggestion const& s : made) n += has(s.events, what) ? 1 : 0;
  return n;
}

}  // namespace support
