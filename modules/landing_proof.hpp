#pragma once
#include <cstddef>
#include <optional>

#include "range_curve.hpp"
#include "relapse.hpp"
#include "running_median.hpp"
#include "stretch.hpp"

namespace autotunenet {

/// Whether a step from one value up to the other would change more than a little.
inline bool clearly_higher(double value, double than) noexcept {
  constexpr double little = 1.1;
  return value > little * than;
}

/// Whether training proves the value that it has landed on. It has to make most of the sweep's fall in time; it must
/// not soon be worse than before it began, since a rate that looks good for a moment may kill a network slowly; and one
/// that has proven itself must not come undone later. Beside the run there may be a pilot, to take its place.
///
/// `swept` always is the sweep that came first; a metric is nothing where none was measured.
class landing_proof {
 public:
  /// What a value is divided by that does harm, or at which it is doubtful that anything trains.
  static constexpr double far_lower = 10.0;

  /// Training steps of a proof that takes so much of a run.
  static double length_for(double part, std::size_t run) noexcept;

  /// @param length training steps
  /// @param restarts how often training may begin again
  landing_proof(double length, std::size_t restarts) noexcept;

  double length() const noexcept { return length_; }
  /// The metric has to fall as the sweep's did; a long run would land at `safe`.
  void expect_fall(double safe) noexcept {
    should_fall_ = true;
    safe_ = safe;
  }
  /// The value is a guess: the metric has to fall at all, and the run belongs at `start` if it does not.
  void expect_any_fall(double start) noexcept {
    should_fall_ = true;
    start_ = start;
  }
  bool guessed() const noexcept { return start_ > 0.0; }
  /// @pre guessed()
  double start() const noexcept { return start_; }
  /// What to guess after this one: halfway to the start, as ratios, where that is well above it and a further landing
  /// is left for the start itself. @pre guessed()
  std::optional<double> lower_guess() const noexcept;
  /// What has been seen of the run counts no longer.
  void begin_anew() noexcept { run_ = fresh(); }
  void land(double value) noexcept { value_ = value; }
  /// Of the last landing; 0 where a start is kept, which is the user's own, and not to be proven.
  double value() const noexcept { return value_; }

  bool can_restart() const noexcept { return restarted_ < restarts_; }
  void restart() noexcept { ++restarted_; }
  void restart_no_more() noexcept { restarted_ = restarts_; }

  /// The first training after a landing.
  void follow_first(double steps, std::optional<double> metric) noexcept;
  void follow(double steps, std::optional<double> metric) noexcept;
  bool measured() const noexcept { return run_.all.level().known(); }
  double steps() const noexcept { return run_.all.steps(); }
  bool over() const noexcept { return steps() >= length_; }
  /// How far the metric has come below the level at the start. @pre measured()
  double fall(range_curve const& swept) const noexcept { return fall_of(run_.all, swept); }

  /// Training is worse than it was before it began.
  bool harmed(range_curve const& swept) const noexcept;
  /// It has made most of the sweep's fall, or a sure one where the value is a guess. @pre measured()
  bool trained(range_curve const& swept) const noexcept;
  /// It has not, and no earlier landing has, though it should; a guess has not made a likely one. @pre measured()
  bool unproven(range_curve const& swept) const noexcept;
  /// All that there is of a fall may be what a network can do that no longer trains. @pre measured()
  bool doubtful(range_curve const& swept) const noexcept;

  /// Where to begin again. After harm the sweep's fall is no promise any more.
  double after_harm(range_curve const& swept) noexcept;
  double after_failure() const noexcept;
  double after_relapse() const noexcept;

  void begin_pilot() noexcept { pilot_ = stretch(length_); }
  void follow_pilot(double steps, std::optional<double> metric) noexcept;
  bool pilot_measured() const noexcept { return pilot_.level().known(); }
  /// @pre pilot_measured()
  double pilot_fall(range_curve const& swept) const noexcept { return fall_of(pilot_, swept); }
  /// @param fall that the pilot is compared with. @pre measured() and pilot_measured()
  bool pilot_clearly_better(double fall, range_curve const& swept) const noexcept;
  /// The run goes on with it.
  void take_pilot() noexcept;

  /// From here on it is watched. @pre measured()
  void begin_watch(range_curve const& swept) noexcept { later_.begin(swept.start_level(), run_.all.late()); }
  /// True where training that had proven itself has come undone.
  bool watch(std::optional<double> metric) noexcept;
  /// What was watched last was taken back.
  void interrupt_watch() noexcept { later_.interrupt(); }
  bool watched() const noexcept { return later_.over(); }
  bool relapsed() const noexcept { return relapsed_; }

  /// With its length, which a proof under way keeps where the horizon is another.
  template <class Archive>
  void fields(Archive& a) {
    double length = length_;
    a.between(length, least_length, most_length);
    if (length != length_) *this = landing_proof(length, restarts_);
    a(should_fall_)(value_)(safe_)(start_)(run_.all)(pilot_)(later_)(relapsed_)(restarted_)(run_.recent);
  }

 private:
  // Training steps that tell a level from its noise, and more than any run has.
  static constexpr double least_length = 16.0, most_length = 1e15;

  // Since the last landing.
  struct training {
    stretch all;
    running_median recent;
  };

  bool falls_by(double errors, range_curve const& swept) const noexcept;
  training fresh() const noexcept;
  static void add(stretch& to, double steps, std::optional<double> metric) noexcept;
  static double fall_of(stretch const& of, range_curve const& swept) noexcept {
    return swept.start_level() - of.level().mean();
  }

  double length_;
  std::size_t restarts_;
  bool should_fall_ = false;  // as the sweep did: it fell, and nothing has been harmed since
  double value_ = 0.0;
  double safe_ = 0.0;
  double start_ = 0.0;  // 0: the value is no guess
  training run_;
  stretch pilot_;
  relapse later_;
  bool relapsed_ = false;
  std::size_t restarted_ = 0;
};

}  // namespace autotunenet
