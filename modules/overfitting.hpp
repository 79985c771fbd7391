#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include "sample_mean.hpp"

namespace autotunenet {

/// What validation says of training since the best one.
enum class generalization : std::uint8_t {
  holds,       ///< nothing new
  improved,    ///< the best so far
  lost,        ///< overfitting: it turned up while training went on falling
  still_lost,  ///< the same again, every second time
  shifted,     ///< both turned up: the data have changed, or training has suffered, and what was best no longer counts
  stays_shifted  ///< much is lost since, and hardly any of it regained: what was best may still be better
};

/// Tells when a metric of data that training does not see turns up while the metric of training goes on falling: early
/// stopping's question (Prechelt 1998, "Early stopping - but when?", section 2), asked against the noise of both.
///
/// Validations that come often are averaged first: the best of many noisy ones would lie far below all that follow.
/// There must have been something to lose: a metric that was never better than before may be one that should grow.
/// Constant memory; shifting or scaling either metric changes nothing.
class overfitting_detector {
 public:
  /// Takes a metric of training. @pre finite
  void train(double metric) noexcept { training_block_.add(metric); }

  /// Takes a metric of validation. @pre finite
  void validate(double metric) noexcept { validation_block_.add(metric); }
  /// Judges all since the last judgement. @pre there was a validation
  generalization judge() noexcept {
    bool const trained = training_block_.count() > 0.0;
    generalization const now = judge(validation_block_.mean(), trained ? training_block_.mean() : not_known);
    training_block_ = validation_block_ = {};
    return now;
  }

  /// Validation has `shifted`, and may yet be judged to stay so.
  bool undecided() const noexcept { return undecided_ > 0; }
  /// After `stays_shifted`: the mean of all validations since, as the state that was best does in a trial, is clearly
  /// nearer to what it was than to what came after. @pre there was one
  bool regained() const noexcept {
    return validation_block_.mean() < validation_.last() - regained_part * (validation_.last() - left_best_);
  }
  /// Whether a validation was told since the last judgement.
  bool validated() const noexcept { return validation_block_.count() > 0.0; }
  /// What was told since the last judgement does not count.
  void forget_block() noexcept { training_block_ = validation_block_ = {}; }
  /// What was best counts again, and what turns up from there is a loss whatever training does.
  void return_to_left_best() noexcept { improve(left_best_, std::numeric_limits<double>::max()); }

  template <class Archive>
  void fields(Archive& a) {
    a(training_block_)(validation_block_)(known_)(fell_)(lost_)(first_)(best_)(trained_at_best_);
    a.between(undecided_, std::size_t{0}, undecided_for);
    a(left_best_)(highest_)(validation_)(training_);
  }

 private:
  static constexpr double not_known = std::numeric_limits<double>::quiet_NaN();
  static constexpr double clearly_worse = 2.0;  // than the best validation, in noises
  // A loss is a large one by these many noises, and by this part of all that was gained since the first judgement.
  static constexpr double far_worse = 4.0, large_part = 0.5;
  // Of all that is lost, in all and from one judgement to the next: training that gets over it regains more.
  static constexpr double getting_over = 0.25, hardly_regained = 0.0625;
  // Judgements after it shifted. A loss may be large only then, where the first one was mostly of what came before it.
  static constexpr std::size_t undecided_for = 4;
  // The same in a trial of the state that was best.
  static constexpr double regained_part = 0.25;

  /// The last values of a metric, and their noise.
  class sequence {
   public:
    void follow(double metric) noexcept {
      double const bend = std::abs(metric - 2.0 * last_ + before_);
      if (bend >= 0.0) bends_[seen_++ % memory] = std::min(bend, largest);
      before_ = std::exchange(last_, metric);
    }
    double last() const noexcept { return last_; }
    /// The standard deviation of normal noise from the median second difference, which neither a trend nor a few large
    /// steps move: median |x - 2 y + z| = 1.652 sigma. 0 before there are three.
    double noise() const noexcept {
      std::array<double, memory> sorted = bends_;
      auto const known = static_cast<std::ptrdiff_t>(std::min(seen_, memory));
      auto const middle = sorted.begin() + known / 2;
      std::nth_element(sorted.begin(), middle, sorted.begin() + known);
      return known > 0 ? *middle / 1.652 : 0.0;
    }
    template <class Archive>
    void fields(Archive& a) {
      a(seen_)(last_)(before_);
      for (double& bend : bends_) a.between(bend, 0.0, largest);  // NaN has no place in an order
    }

   private:
    static constexpr std::size_t memory = 15;
    static constexpr double largest = std::numeric_limits<double>::max();
    std::size_t seen_ = 0;
    double last_ = not_known, before_ = not_known;
    std::array<double, memory> bends_{};
  };

  generalization judge(double metric, double trained) noexcept {
    validation_.follow(metric);
    training_.follow(trained);
    if (!std::exchange(known_, true)) {
      first_ = metric;
      improve(metric, trained);
      return generalization::improved;
    }
    bool const rose = metric > best_ + clearly_worse * validation_.noise();
    if (undecided_ > 0) {
      highest_ = std::max(highest_, metric);
      if (metric - left_best_ >= (1.0 - getting_over) * (highest_ - left_best_)) return decide(metric, trained);
      undecided_ = 0;
    }
    if (rose && trained > trained_at_best_ + training_.noise()) {
      undecided_ = fell_ ? undecided_for : 0;
      left_best_ = best_;
      highest_ = metric;
      improve(metric, trained);
      return generalization::shifted;
    }
    if (metric < best_) {
      fell_ = true;
      improve(metric, trained);
      return generalization::improved;
    }
    bool const learns = trained < trained_at_best_ - training_.noise();
    bool const lost = rose && learns && fell_;
    bool const again = lost && lost_;
    lost_ = lost && !again;
    return !lost ? generalization::holds : again ? generalization::still_lost : generalization::lost;
  }

  generalization decide(double metric, double trained) noexcept {
    double const large = std::max(large_part * (first_ - left_best_), far_worse * validation_.noise());
    double const regained = best_ - metric;
    bool const stays = metric - left_best_ > large && regained < hardly_regained * (best_ - left_best_);
    undecided_ = stays ? 0 : undecided_ - 1;
    improve(metric, trained);
    return stays ? generalization::stays_shifted : generalization::holds;
  }

  void improve(double metric, double trained) noexcept {
    best_ = metric;
    trained_at_best_ = trained;
    lost_ = false;
  }

  sample_mean training_block_;
  sample_mean validation_block_;
  bool known_ = false;
  bool fell_ = false;          // it once was better than before: it should fall
  bool lost_ = false;          // at the last judgement, for the first time
  std::size_t undecided_ = 0;  // judgements until what was lost counts as lost for good
  double first_ = 0.0;         // judged
  double best_ = 0.0;
  double trained_at_best_ = 0.0;
  double left_best_ = 0.0;  // before it shifted
  double highest_ = 0.0;    // since then
  sequence validation_;
  sequence training_;
};

}  // namespace autotunenet
