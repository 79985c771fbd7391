module;
#include <algorithm>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <format>
#include <limits>
#include <memory_resource>
#include <span>
#include <utility>
#include <vector>

module autotunenet;

import :unit_box;

namespace autotunenet {

namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

// What one stretch comes to (Welford's running mean and sum of squares).
struct stretch_summary {
  std::size_t observations = 0;
  double steps = 0.0;
  double count = 0.0;
  double mean = 0.0;
  double squares = 0.0;
  double told_noise = 0.0;

  void add(double metric, double noise) noexcept {
    count += 1.0;
    double const before = mean;
    mean = mixed(mean, metric, 1.0 / count);
    squares += (metric - before) * (metric - mean);
    told_noise += std::isfinite(noise) ? std::max(noise, 0.0) : 0.0;
  }

  void fields(archive& a) { a(observations)(steps)(count)(mean)(squares)(told_noise); }

  // The spread of few metrics may be small by luck, so what the trainer says of its noise is a lower limit.
  double standard_error() const noexcept {
    double const told = told_noise / count / std::sqrt(count);
    double const spread = count > 1.0 ? std::sqrt(squares / (count - 1.0) / count) : 0.0;
    return std::isfinite(spread) ? std::max(spread, told) : told;
  }
};

struct stretching {
  stride each;
  suggestion out{};
  std::vector<double> ran{};  // in this stretch
  stretch_summary now{};
  bool due = true;
  bool settled = false;  // what ran in this stretch is what is suggested
  // Since the tuner was told last:
  bool relocated = false;
  double validation = none;

  suggestion const& ask(suggestions& inner) {
    std::uint64_t const number = out.number + 1;
    if (due) {
      out = inner.ask();
      now = {};
      due = settled = false;
    } else {
      if (!settled) settle();
      out.why = reason::hold;
      out.events = event::none;
      out.state = training_state::keep;
    }
    out.number = number;
    return out;
  }

  void tell(observation const& seen, suggestions& inner) {
    std::size_t const n = seen.covers == coverage::epoch ? each.of_epochs : each.of_steps;
    if (!settled || !ran_as_before(seen)) notice_what_ran(applied_to(out, seen));
    ++now.observations;
    now.steps += seen.steps;
    relocated = relocated || seen.relocated;
    if (!std::isnan(seen.validation)) validation = seen.validation;
    bool const trial = out.why == reason::range_test;
    bool const belongs_here = n == 1 || now.observations > 1;
    if (seen.usable() && belongs_here) now.add(seen.metric, seen.noise);
    if (!trial && !seen.bad() && now.observations < n) return;

    observation told = seen;
    told.number = 0;
    told.steps = now.steps;
    told.validation = std::exchange(validation, none);
    told.relocated = std::exchange(relocated, false);
    if (!trial && !seen.bad()) summarise(told);
    due = true;
    // Empty means what was suggested: here that may be what was held, of which the inner tuner knows nothing.
    if (told.applied.empty() && !std::ranges::equal(out.values.values(), inner.ask().values.values()))
      told.applied = out.values.values();
    if (std::ranges::any_of(told.applied, [](double value) { return std::isnan(value); })) told.applied = ran;
    inner.tell(told);
  }

  void fields(archive& a) {
    a.section("every");
    a(out)(ran)(now)(due)(relocated)(validation);
    if (!ran.empty() && ran.size() != out.values.size()) archive::refuse("holds values of another search space");
    if (a.reading()) settled = false;
  }

  void settle() noexcept {
    if (!std::ranges::equal(ran, out.values.values())) out.values.assign(ran);
    settled = std::ranges::equal(ran, out.values.values());
  }

  bool ran_as_before(observation const& seen) const noexcept {
    return seen.applied.empty() || std::ranges::equal(seen.applied, ran);
  }

  // A schedule around this stage divides what ran by its shape: rounding is no change.
  static bool alike(double a, double b) noexcept { return std::abs(a - b) <= 1e-12 * std::abs(b) || a == b; }

  // What is not known ran as suggested.
  void notice_what_ran(std::span<double const> applied) {
    auto const value = [&](std::size_t i) { return std::isnan(applied[i]) ? out.values[i] : applied[i]; };
    bool changed = now.observations == 0 || ran.size() != applied.size();
    for (std::size_t i = 0; i < applied.size() && !changed; ++i) changed = !alike(value(i), ran[i]);
    if (!changed) return;
    ran.resize(applied.size());
    for (std::size_t i = 0; i < applied.size(); ++i) ran[i] = value(i);
    settled = false;
    now = {};
  }

  void summarise(observation& told) const noexcept {
    told.result = now.count > 0.0 ? outcome::measured : outcome::skipped;
    if (now.count > 0.0) {
      told.metric = now.mean;
      told.noise = now.standard_error();
    }
  }
};

}  // namespace

every::every(std::size_t n, std::pmr::memory_resource* memory) : every(stride{n, n}, memory) {}
every::every(stride n, std::pmr::memory_resource* memory) : n_(n), memory_(memory) {
  if (n.of_steps == 0 || n.of_epochs == 0)
    throw invalid_option("every(0) would never let the tuner move; n must be at least 1");
}

suggestions every::operator()(suggestions inner) const { return drive(stretching{n_}, std::move(inner), memory_); }

}  // namespace autotunenet
