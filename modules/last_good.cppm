module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

module autotunenet:last_good;

import :archive;
import :regression_test;
import :search_space;
import :trial;

namespace autotunenet {

/// Without an early end: configurations are short, and mostly the same.
inline bool same_values(std::span<double const> a, std::span<double const> b) noexcept {
  if (a.size() != b.size()) return false;
  bool same = true;
  for (std::size_t i = 0; i < a.size(); ++i) same &= a[i] == b[i];
  return same;
}

/// The last configuration that survived patience, the candidate to follow it, and which copies of the training state go
/// with them. A copy is made when the candidate begins, just after its configuration ran, and promoted with it.
struct last_good {
  std::size_t patience;
  std::size_t snapshot_every;

  std::vector<double> values{};     ///< good; empty: none yet
  std::vector<double> candidate{};  ///< empty: none
  bool has_state = false;           ///< the promoted copy of the training state belongs to `values`
  bool candidate_has_state = false;
  bool proven = false;  ///< became good after the last remedy
  std::size_t survived = 0;
  std::uint64_t since_mark = 0;
  std::uint64_t observed = 0;
  std::uint64_t undisturbed = 0;                                   ///< observations since one that was far out
  std::size_t failures = 0;                                        ///< in a row
  std::uint64_t calm = std::numeric_limits<std::uint64_t>::max();  ///< observations since the last failure

  inline bool known() const noexcept { return !values.empty(); }
  /// Returning to the promoted copy makes sense: it is that of `values`, or the one from before the first step, or the
  /// present state is of no use, for nothing could be measured between two failures.
  inline bool can_return() const noexcept { return !known() || has_state || failures > 1; }

  struct changes {
    event events = event::none;
    training_state state = training_state::keep;
  };

  /// After each usable observation. `far_out`: it alone was clearly worse than the first level. @pre ran holds no NaN
  inline changes observe(verdict now, bool far_out, std::span<double const> ran, search_space const& space,
                         bool restorable) {
    changes made;
    undisturbed = far_out ? 0 : undisturbed + 1;
    ++since_mark;
    ++observed;
    failures = 0;
    if (calm < std::numeric_limits<std::uint64_t>::max()) ++calm;
    if (now == verdict::regressed) drop_candidate();
    if (now != verdict::healthy) return made;
    if (!candidate.empty() && ++survived >= patience) {
      if (disturbed())
        drop_candidate();
      else
        made = promote();
    }
    if (candidate.empty() && worth_trying(ran, space, restorable)) made.state |= begin(ran, restorable);
    return made;
  }

  /// After each failed stretch, before `can_return` is asked.
  void fail() noexcept {
    ++failures;
    calm = 0;
  }

  /// Something was measured again, and is not observed here.
  void end_failures() noexcept { failures = 0; }

  /// Beside the configurations.
  void fields(archive& a) {
    a(has_state)(candidate_has_state)(proven)(survived)(since_mark)(observed)(undisturbed)(failures)(calm);
  }

  void drop_candidate() noexcept { candidate.clear(); }

  /// What was good belongs to training that was given up. Its state still is better than none.
  void give_up() noexcept {
    drop_candidate();
    values.clear();
    proven = false;
  }

  /// The trainer did not make the copy that `begin` asked for.
  void copy_refused() noexcept { candidate_has_state = false; }

  /// A remedy is under way: what is good has yet to prove itself again.
  void doubt() noexcept {
    drop_candidate();
    proven = false;
  }

 private:
  // A configuration never replaces one whose training state is kept unless its own is kept too. That training is well
  // again is seen all the same.
  changes promote() {
    if (known() && has_state && !candidate_has_state) {
      bool const again = !proven && same_values(candidate, values);
      proven = true;
      drop_candidate();
      return {.events = again ? event::became_good : event::none};
    }
    values.swap(candidate);
    candidate.clear();
    has_state = candidate_has_state;
    proven = true;
    return {event::became_good, has_state ? training_state::promote : training_state::keep};
  }

  // Weights that few batches meet may have blown up while the metric is well, but for those batches (as the embedding
  // of a rare word). What is kept from before that is better than such a state, for as long as they still come.
  inline bool disturbed() const noexcept {
    bool const replaces = known() && has_state;
    return replaces && undisturbed < snapshot_every / 4;
  }

  training_state begin(std::span<double const> ran, bool restorable) {
    candidate.assign(ran.begin(), ran.end());
    candidate_has_state = restorable;
    survived = 0;
    if (!restorable) return training_state::keep;
    since_mark = 0;
    return training_state::mark_candidate;
  }

  inline bool worth_trying(std::span<double const> ran, search_space const& space, bool restorable) const noexcept {
    return news(ran, restorable) && allowed(ran, space);
  }
  inline bool news(std::span<double const> ran, bool restorable) const noexcept {
    bool const urgent = !known() || !proven;
    bool const copied = restorable || (known() && has_state);
    if (!copied) return urgent || !same_values(ran, values);
    return since_mark >= patience + 1 && (urgent || since_mark >= usual_pause());
  }
  // A copy costs the trainer time, so it is made rarely; sooner where there is nothing good to fall back on, and early
  // in a run, of which a rollback would take much. After a failure as well: where failures come back, however often, no
  // rollback takes more than about half of what was trained between two of them. A newer one is not always better: what
  // harms slowly is in it already.
  inline std::uint64_t usual_pause() const noexcept {
    return std::min<std::uint64_t>(std::clamp<std::uint64_t>(observed / 10, snapshot_every / 4, snapshot_every),
                                   calm / 2);
  }
  static bool allowed(std::span<double const> ran, search_space const& space) noexcept {
    for (std::size_t i = 0; i < ran.size(); ++i) {
      if (!space.contains(i, ran[i])) return false;
    }
    return true;
  }
};

}  // namespace autotunenet
