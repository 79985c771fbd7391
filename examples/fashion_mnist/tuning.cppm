module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <format>
#include <string>
#include <string_view>
#include <utility>

export module fashion_mnist.tuning;

import autotunenet;

using namespace autotunenet;

export namespace fashion {

/// What is tuned where no settings file says otherwise: the learning rate, with room beyond where the run begins.
search_space learning_rate_around(double start) {
  return {real{"lr", std::min(1e-6, start), std::max(1.0, start), scale::log}};
}

/// The pipeline of a run without a settings file, over the steps that the run will have.
suggestions pipeline(configuration start, std::uint64_t seed, std::size_t steps) {
  search_space const space = start.space();
  return bayesian(space, {.seed = seed, .start = std::move(start)}) | every(20) | anneal({.horizon = steps}) |
         range_test({.horizon = steps}) | guard({.warm_up = 20});
}

/// Keeps what happened since it was last asked, as text for people.
class happenings final : public observer {
 public:
  void suggested(suggestion const& next) override {
    events_ |= next.events;
    rollbacks_ += has(next.events, event::rolled_back);
    recent_ += has(next.events, event::rolled_back);
    back_offs_ += has(next.events, event::backed_off);
    clamps_ += has(next.events, event::clamped);
    failures_ += has(next.events, event::failed);
  }
  void observed(suggestion const&, observation const&) override {}

  std::string take() {
    std::string text;
    auto add = [&](std::string_view words) { text += std::format("{}{}", text.empty() ? "" : ", ", words); };
    auto count = [&](std::size_t n, std::string_view one, std::string_view many) {
      if (n > 0) add(n == 1 ? std::string(one) : std::format("{} {}", n, many));
    };
    if (has(events_, event::range_test_began | event::range_test_ended)) add("range test");
    if (has(events_, event::warm_up_ended)) add("warm-up ended");
    count(failures_, "a failed step", "failed steps");
    count(recent_, "rolled back", "rollbacks");
    count(back_offs_, "backed off", "back-offs");
    if (has(events_, event::cooldown_ended)) add("cooldown ended");
    if (has(events_, event::rebased)) add("judged from a new level");
    count(clamps_, "a step shortened", "steps shortened");
    events_ = event::none;
    recent_ = back_offs_ = clamps_ = failures_ = 0;
    return text;
  }
  /// Since the beginning.
  std::size_t rollbacks() const noexcept { return rollbacks_; }

 private:
  event events_ = event::none;
  std::size_t rollbacks_ = 0, recent_ = 0, back_offs_ = 0, clamps_ = 0, failures_ = 0;
};

}  // namespace fashion
