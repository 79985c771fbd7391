module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <format>
#include <string>
#include <string_view>

export module fashion_mnist.tuning;

import autotunenet;

using namespace autotunenet;

export namespace fashion {

/// What is tuned where no settings file says otherwise: the learning rate, with room beyond where the run begins.
search_space learning_rate_around(double start) {
  return {real{"lr", std::min(1e-6, start), std::max(1.0, start), scale::log}};
}

/// The settings of a run: those of the file, if there is one. What only the run knows is filled in where the file is
/// silent: that each training step is an observation, how many there will be, and the seed.
settings settings_for(std::filesystem::path const& file, double start_rate, std::size_t epochs,
                      std::size_t steps_per_epoch, std::uint64_t seed) {
  settings chosen = file.empty() ? settings{} : read_settings(file);
  if (!chosen.parameters) chosen.parameters = learning_rate_around(start_rate);
  tuning_settings& tuning = chosen.tuning;
  if (tuning.objective == hook::first) tuning.objective = hook::step;
  if (tuning.steps_per_epoch == 0) tuning.steps_per_epoch = steps_per_epoch;
  if (tuning.horizon == 0) tuning.horizon = tuning.objective == hook::step ? epochs * steps_per_epoch : epochs;
  if (tuning.seed == 0) tuning.seed = seed;
  return chosen;
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
    if (has(events_, event::overfitting)) add("overfitting");
    if (has(events_, event::best_kept)) add("back at the best validation");
    count(clamps_, "a step shortened", "steps shortened");
    events_ = event::none;
    recent_ = back_offs_ = clamps_ = failures_ = 0;
    return text;
  }
  void fields(archive& a) { a(events_)(rollbacks_)(recent_)(back_offs_)(clamps_)(failures_); }
  /// Since the beginning.
  std::size_t rollbacks() const noexcept { return rollbacks_; }

 private:
  event events_ = event::none;
  std::size_t rollbacks_ = 0, recent_ = 0, back_offs_ = 0, clamps_ = 0, failures_ = 0;
};

}  // namespace fashion
