#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>

#include "landing_proof.hpp"
#include "pilots.hpp"
#include "range_curve.hpp"

namespace autotunenet {

/// Which values are tried by pilots, when, and what a run makes of them: upwards step by step, from where the run is,
/// as long as the run affords a step that leads nowhere, or nothing is gained anyway; once down where the first is
/// worse, since the run itself may be too high then, and once further down still where it is doubtful that the run
/// trains at all, both from where the sweep began.
///
/// One may be slower than the run was because little is left to gain, as on a plateau or at the level of the noise. So
/// the run goes on where it was for as long, and if that gains no more than the pilot did, pilots begin once more.
///
/// `swept` always is the sweep that came first.
class pilot_plan {
 public:
  /// What follows a metric of a pilot.
  enum class move : std::uint8_t {
    wait,   ///< it goes on
    lower,  ///< the next one is below what it was compared with
    take,   ///< the run goes on with it
    leave   ///< the run goes on where it was, and the next one, if any, begins later
  };

  /// @param length metrics of a pilot
  /// @param doubt_length the same, where it is doubtful that the run trains
  /// @param horizon of the run; 0: not known
  pilot_plan(std::size_t length, std::size_t doubt_length, std::size_t horizon) noexcept;

  /// Training steps that are undone anyway.
  void add_undone(double steps) noexcept { undone_ += steps; }
  /// The run has fallen so far by so many steps.
  void follow(double steps, double fall) noexcept;
  /// Whether the run has come to where the next one begins.
  bool due(double steps) const noexcept { return current_.due(steps); }
  /// Whether that is worth its steps, now that the run has fallen so far.
  bool promising(double fall, range_curve const& swept) const noexcept {
    return !slower_fall_ || pilots::keeps_up(*slower_fall_, fall, unit(swept));
  }
  /// There are no more, but where it is doubtful that the run trains.
  void end() noexcept { current_.end(); }
  /// There are none any more at all.
  void give_up() noexcept {
    end();
    doubted_ = true;
  }
  /// Training begins again, by no choice of a pilot's.
  void begin_anew() noexcept {
    end();
    taken_ = false;
  }
  /// Whether it has been doubted that the run trains: at most once, and it need not be any more.
  bool doubted() const noexcept { return doubted_; }
  /// It is: the next pilot is of the length for that.
  void doubt() noexcept;

  /// The next pilots are compared with this one: where the run is, or what a pilot has come to.
  void compare_with(double value, double fall) noexcept { current_.compare_with(value, fall); }
  double compared_value() const noexcept { return current_.compared_value(); }
  /// The next values.
  double higher() const noexcept;
  double lower() const noexcept;
  double far_lower() const noexcept;
  /// A pilot of this value begins.
  void begin(double value) noexcept { current_.begin(value); }
  double value() const noexcept { return current_.value(); }

  /// A metric of the pilot, which `proof` has seen; `bad` where training failed.
  move add(bool bad, landing_proof const& proof, range_curve const& swept) noexcept;
  /// Whether a pilot that the run goes on with, and that has fallen so far, is followed by a higher one, where there is
  /// room.
  bool rises(double fall, range_curve const& swept) const noexcept;
  /// The run has gone on with the last one.
  void take() noexcept {
    end();
    taken_ = true;
  }
  /// Whether the run has gone on with a pilot, and can go back to what it left for it.
  bool can_return() const noexcept { return taken_; }
  /// Whether what the run left for a pilot still is the better one, now that it has fallen so far.
  bool regretted(double fall, range_curve const& swept) const noexcept {
    return taken_ && current_.regretted(fall, unit(swept));
  }

  template <class Archive>
  void fields(Archive& a) {
    a(current_)(doubts_)(doubted_)(undone_)(slower_fall_)(taken_);
  }

 private:
  double unit(range_curve const& swept) const noexcept;

  double affordable_;  // training steps that may be undone where a further step up is a question
  pilots current_;
  pilots doubts_;
  bool doubted_ = false;
  double undone_ = 0.0;
  std::optional<double> slower_fall_;  // of the first pilot that was slower: the next one was put off
  bool taken_ = false;                 // the run has gone on with a pilot, and can return
};

}  // namespace autotunenet
