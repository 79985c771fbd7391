module;
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <format>
#include <memory_resource>
#include <string>
#include <utility>

module autotunenet;

import :guarding;

namespace autotunenet {

void refuse_suggested(std::size_t given, std::size_t before) {
  throw invalid_option(
      std::format("guard: the tuner suggested {} values after {}; the search space must stay the same", given, before));
}

pace pace_of(guard_options const& given, bool by_epochs) noexcept {
  constexpr pace of_steps{.window = 5, .patience = 3, .cooldown = 10, .snapshot_every = 100};
  constexpr pace of_epochs{.window = 1, .patience = 2, .cooldown = 2, .snapshot_every = 1};
  pace const& usual = by_epochs ? of_epochs : of_steps;
  return {.window = given.window.value_or(usual.window),
          .patience = given.patience.value_or(usual.patience),
          .cooldown = given.cooldown.value_or(usual.cooldown),
          .snapshot_every = given.snapshot_every.value_or(usual.snapshot_every)};
}

namespace {

void check(bool allowed, char const* key, double value, char const* what) {
  if (!allowed) throw invalid_option(std::format("guard: {} = {} is not allowed; it must be {}", key, value, what));
}

void check(guard_options const& o) {
  auto const count = [](std::size_t n) { return static_cast<double>(n); };
  pace const counts = pace_of(o, false);
  check(!std::isnan(o.warm_up_metric), "warm_up_metric", o.warm_up_metric, "a number");
  check(o.max_delta > 0.0 && std::isfinite(o.max_delta), "max_delta", o.max_delta, "above 0 and finite");
  check(o.max_regression >= 0.0, "max_regression", o.max_regression, "at least 0");
  check(o.noise_margin >= 0.0 && std::isfinite(o.noise_margin), "noise_margin", o.noise_margin,
        "at least 0 and finite");
  check(counts.window >= 1 && counts.window <= 4096, "window", count(counts.window), "between 1 and 4096");
  check(o.recall >= 1 && o.recall <= 1048576, "recall", count(o.recall), "between 1 and 1048576");
  check(counts.patience >= 1, "patience", count(counts.patience), "at least 1");
  check(o.back_off > 0.0 && o.back_off < 1.0, "back_off", o.back_off, "above 0 and below 1");
  check(counts.snapshot_every >= 1, "snapshot_every", count(counts.snapshot_every), "at least 1");
  for (std::string const& name : o.safety) {
    if (name.empty())
      throw invalid_option("guard: safety holds an empty name; name parameters, or leave the list empty");
  }
}

}  // namespace

guard::guard(guard_options options, std::pmr::memory_resource* memory) : options_(std::move(options)), memory_(memory) {
  check(options_);
}

suggestions guard::operator()(suggestions inner) const { return drive(guarding{options_}, std::move(inner), memory_); }

}  // namespace autotunenet
