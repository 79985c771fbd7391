module;
#include <algorithm>
#include <cstddef>
#include <limits>

module autotunenet:recovery;

import :archive;
import :regression_test;

namespace autotunenet {

/// Patience, cooldown, and the question whether remedies help.
struct recovery {
  std::size_t patience;
  std::size_t cooldown;

  std::size_t cooldown_left = 0;
  std::size_t regressions = 0;  ///< in a row
  std::size_t remedies = 0;     ///< in a row: since training last was as good as before the first of them
  double reached = unknown;     ///< how good that was
  bool doubtful = false;        ///< the metric itself may have moved

  void fields(archive& a) {
    a.at_most(cooldown_left, cooldown, "guard: cooldown ([stability] cooldown)");
    a(regressions)(remedies)(reached)(doubtful);
  }

  inline bool cooling() const noexcept { return cooldown_left > 0; }

  /// A rollback or back-off is under way. @param best of the metric, lately
  inline void begin(double best, bool restored) noexcept {
    cooldown_left = cooldown;
    regressions = 0;
    if (remedies++ == 0) reached = best;
    doubtful = restored || remedies >= 2;
  }
  /// Training goes on well at this level.
  inline void recovered(double level) noexcept {
    if (level <= reached) remedies = 0;
  }
  /// How good training was tells nothing any more.
  inline void forget_reached() noexcept { reached = unknown; }
  /// How many back-offs the next one is worth: where three remedies in a row have not helped, the place to go to is far
  /// away, and each goes twice as far as the one before.
  inline std::size_t stride() const noexcept {
    constexpr std::size_t tried = 2, doublings = 3;
    return std::size_t{1} << (remedies <= tried ? 0 : std::min(remedies - tried, doublings));
  }
  /// One observation of the cooldown; whether it was the last.
  inline bool cool() noexcept { return cooldown_left > 0 && --cooldown_left == 0; }

  /// Whether this verdict exhausts patience. @pre !cooling()
  inline bool exhausted(verdict now) noexcept {
    regressions = now == verdict::regressed ? regressions + 1 : 0;
    return regressions >= patience;
  }

  /// Whether this verdict shows that the metric itself has moved: it is the first after a cooldown, and no remedy
  /// helped.
  inline bool metric_moved(verdict now) noexcept {
    if (!doubtful || cooling() || now == verdict::unknown) return false;
    doubtful = false;
    return now == verdict::regressed;
  }

  inline void begin_afresh() noexcept {
    cooldown_left = 0;
    regressions = 0;
    doubtful = false;
    forget_reached();
  }

 private:
  static constexpr double unknown = std::numeric_limits<double>::infinity();
};

/// Suspects a metric whose direction was given the wrong way round: it leaves its first level for the worse, has never
/// been better, and its level had to be accepted anew more than once because no remedy helped.
struct direction_check {
  bool begun = false;
  double first = 0.0;
  double lowest = 0.0;
  std::size_t rebased = 0;
  bool told = false;

  void fields(archive& a) { a(begun)(first)(lowest)(rebased)(told); }

  /// The smoothed metric after each observation.
  inline void observe(double level) noexcept {
    if (!begun) first = lowest = level;
    begun = true;
    lowest = level < lowest ? level : lowest;
  }
  /// The level was accepted anew; whether that gives reason to ask. At most once in a run.
  /// @param error standard error of the smoothed metric
  inline bool suspicious(double level, double error) noexcept {
    bool const only_worse = lowest >= first - 2.0 * error && level > first + 4.0 * error;
    rebased = only_worse ? rebased + 1 : 0;
    return !told && (told = rebased >= 2);
  }
};

/// Warm-up by observations and by a gate on the smoothed metric that opens once.
struct warm_up {
  std::size_t observations;
  double limit;

  std::size_t left = observations;
  bool gate_open = limit == std::numeric_limits<double>::infinity();

  void fields(archive& a) {
    a.at_most(left, observations, "guard: warm_up ([tuning] warmup_steps, warmup_epochs)")(gate_open);
  }

  inline bool active() const noexcept { return left > 0 || !gate_open; }
  /// After each usable observation of the warm-up; whether it was the last.
  inline bool observe(regression_test const& test) noexcept {
    if (left > 0) --left;
    if (!gate_open) gate_open = test.reached(limit);
    return !active();
  }
  inline void begin_afresh() noexcept { left = observations; }
};

}  // namespace autotunenet
