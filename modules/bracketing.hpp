#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace autotunenet {

/// Where a value lies, by its logarithm, and the metric that it led to.
struct measured_point {
  double where = 0.0;
  double level = std::numeric_limits<double>::quiet_NaN();  ///< infinity: it failed

  bool known() const noexcept { return level == level; }
  template <class Archive>
  void fields(Archive& a) {
    a(where)(level);
  }
};

/// What a search for the value of the lowest metric has found: where it began, what led furthest, and the neighbours of
/// that on either side, as far as they can be compared with it, having begun at the same state. Says which values are
/// next, and where between those three the metric would be lowest (a parabola, as in Brent 1973, "Algorithms for
/// Minimization without Derivatives", chapter 5).
class bracketing {
 public:
  /// @param ratio between a value that helped and the next one; above 1
  explicit bracketing(double ratio) noexcept : octave_(std::log(ratio)) {}

  /// Of the value that the search begins with, or begins anew below.
  void set_lowest(double where) noexcept { lowest_ = where; }
  void start(measured_point here) noexcept { best_ = start_ = here; }

  measured_point const& start() const noexcept { return start_; }
  measured_point const& best() const noexcept { return best_; }
  /// The logarithm of the lowest value that ran.
  double lowest() const noexcept { return lowest_; }
  bool worked() const noexcept { return best_.level < infinity; }
  bool fell() const noexcept { return best_.where < start_.where; }
  bool rose() const noexcept { return best_.where > start_.where; }
  bool moved() const noexcept { return fell() || rose(); }

  /// The next value up. @param most the logarithm of the highest value allowed
  double risen(double most) const noexcept { return std::min(best_.where + (rose() ? 1.0 : far) * octave_, most); }
  /// The next value down. @param least the logarithm of the lowest value allowed
  double fallen(double least) const noexcept {
    bool const nearly = lowest_ == start_.where && start_.level < infinity;
    return std::max(lowest_ - (nearly ? near : far) * octave_, least);
  }
  /// A short step down from any value.
  double shortly_below(double where, double least) const noexcept { return std::max(where - near * octave_, least); }
  /// Whether so large a step, of logarithms, would change more than a little.
  static bool worthwhile(double step) noexcept { return step > 0.7; }

  /// Of a value below all others that ran from the start's state; whether it is the best from now on.
  bool compare_below(measured_point here) noexcept {
    lowest_ = here.where;
    if (!(here.level < best_.level)) {
      below_ = here;
      return false;
    }
    above_ = below_.known() ? below_ : best_;  // what ran before, and was alike
    best_ = here;
    below_ = {};
    return true;
  }
  bool knows_above() const noexcept { return above_.known(); }

  /// Of the first value above the best that ran from the start's state; whether it is the best from now on. Where both
  /// are nearly alike, the lower value has done less harm.
  bool compare_above(measured_point here) noexcept {
    double const gain = best_.level - here.level;
    if (gain > 0.0 && !(gain < much * (below_.level - best_.level))) {
      accept(here);
      return true;
    }
    above_ = here;
    return false;
  }

  /// Of a further value above the best, which ran on from there.
  enum class climb { none, some, much };
  climb compare_climb(measured_point here) noexcept {
    double const gain = (best_.level - here.level) / (start_.level - best_.level);
    if (!(gain > little)) return climb::none;
    accept(here);
    return gain > much ? climb::much : climb::some;
  }

  /// Where the metric would be lowest; nothing where a neighbour is missing, the lower one is not above the best, or
  /// the parabola bends downwards. What diverged says that it is too high, and not how much.
  std::optional<double> valley() const noexcept { return valley(above_); }
  /// The same with `high` as the neighbour above.
  std::optional<double> valley(measured_point high) const noexcept {
    double const left = best_.where - below_.where, right = high.where - best_.where;
    double const rise_left = below_.level - best_.level;
    if (!high.known() || !(rise_left > 0.0 && rise_left < infinity)) return std::nullopt;
    double const rise_right = std::min(high.level - best_.level, most_rise * rise_left);
    double const bend = rise_left * right + rise_right * left;
    if (!(bend > 0.0)) return std::nullopt;
    return best_.where + 0.5 * (rise_left * right * right - rise_right * left * left) / bend;
  }

  template <class Archive>
  void fields(Archive& a) {
    a(start_)(best_)(below_)(above_)(lowest_);
  }

 private:
  static constexpr double infinity = std::numeric_limits<double>::infinity();
  // Powers of the ratio: of the first step up and of those down, and of the first step down, which is for starts that
  // are nearly right.
  static constexpr double far = 1.5, near = 0.75;
  // Of all that was gained before, what a step up gains at least where it was one, and where the next one is worth
  // trying. In between the best value lies between the two.
  static constexpr double little = 0.02, much = 0.15;
  // How much further the parabola may rise on the side of high values.
  static constexpr double most_rise = 4.0;

  // What runs on from there cannot be compared with what began at the start's state.
  void accept(measured_point here) noexcept {
    best_ = here;
    below_ = above_ = {};
  }

  double octave_;
  measured_point start_;
  measured_point best_;
  measured_point below_;
  measured_point above_;
  double lowest_ = 0.0;
};

}  // namespace autotunenet
