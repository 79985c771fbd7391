module;
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

module autotunenet:regression_test;

import :archive;
import :moving_average;

namespace autotunenet {

/// The standard deviation of a metric's noise, from the differences of successive metrics: a trend hardly matters, nor
/// does an outlier, for no difference counts as more than four usual ones (von Neumann 1941 has the estimator from
/// squares; the mean magnitude is sturdier).
class noise_estimate {
 public:
  inline void observe(double metric) noexcept {
    if (following_) {
      double difference = std::min(std::abs(metric - last_), std::numeric_limits<double>::max());
      if (count_ >= 3.0 && level_ > 0.0) difference = std::min(difference, 4.0 * level_);
      count_ = std::min(count_ + 1.0, memory);
      level_ += (difference - level_) / count_;
    }
    last_ = metric;
    following_ = true;
  }
  /// The next metric does not follow the last one: their difference is no noise.
  inline void interrupt() noexcept { following_ = false; }
  inline double standard_deviation() const noexcept { return half_root_pi * level_; }
  /// Whether there are enough differences for one that is none of noise not to decide it.
  inline bool settled() const noexcept { return count_ >= 8.0; }
  void fields(archive& a) { a(following_)(last_)(level_)(count_); }

 private:
  static constexpr double memory = 30.0;
  static constexpr double half_root_pi = 0.886226925452758;  // of normal noise, E|x - y| = 2 sigma / sqrt(pi)
  bool following_ = false;
  double last_ = 0.0;
  double level_ = 0.0;
  double count_ = 0.0;
};

/// The smallest of the last `recall` values, in constant time on average and, since a metric's noise is not to be
/// foreseen, without a branch on it. Slots of this round hold values, those of the round before the minimum from there
/// to its end.
class recent_minimum {
 public:
  explicit recent_minimum(std::size_t recall) : slots_(recall + 1, none) {}

  inline void push(double value) noexcept {
    slots_[next_] = value;
    ++next_;
    least_ = std::min(least_, value);
    if (count_ < slots_.size() - 1) size_ = static_cast<double>(++count_);
    if (next_ == slots_.size() - 1) begin_round();
  }
  /// @pre something was pushed
  inline double value() const noexcept { return std::min(least_, slots_[next_]); }
  /// Over how many values the minimum was taken.
  inline double count() const noexcept { return size_; }
  void clear() noexcept {
    std::ranges::fill(slots_, none);
    next_ = count_ = 0;
    size_ = 0.0;
    least_ = none;
  }
  void fields(archive& a) {
    a.same_size(slots_)(least_);
    a.below(next_, slots_.size() - 1).below(count_, slots_.size());
    size_ = static_cast<double>(count_);
  }

 private:
  static constexpr double none = std::numeric_limits<double>::infinity();
  inline void begin_round() noexcept {
    for (std::size_t i = next_; i-- > 0;) slots_[i] = std::min(slots_[i], slots_[i + 1]);
    next_ = 0;
    least_ = none;
  }
  std::vector<double> slots_;  // and one that stays `none`
  std::size_t next_ = 0;
  std::size_t count_ = 0;
  double size_ = 0.0;    // the count, as what is reckoned with
  double least_ = none;  // of this round
};

enum class verdict : std::uint8_t { unknown, healthy, regressed };

struct regression_limits {
  double max_regression;
  double noise_margin;
  std::size_t window;
  std::size_t recall;
};

/// Judges the smoothed metric against its recent best. All that is compared scales and shifts with the metric.
class regression_test {
 public:
  explicit regression_test(regression_limits limits) : limits_(limits), mean_(limits.window), best_(limits.recall) {}

  /// @pre metric is finite. `told_noise`: its standard error as the trainer has it, or 0.
  inline verdict observe(double metric, double told_noise) noexcept {
    noise_.observe(metric);
    mean_.push(without_outlier(metric));
    if (!mean_.full()) return verdict::unknown;
    if (since_mean_ == 0) follow_means();
    if (++since_mean_ == limits_.window) since_mean_ = 0;
    if (!begun_) start_ = mean_.mean();
    begun_ = true;
    double const best_before = best();
    best_.push(mean_.mean());
    if (best_.value() != best_before) follow_best();
    if (limits_.noise_margin > 0.0 && best_.count() != margin_count_) reckon_margin();
    double const lost = mean_.mean() - best_.value();
    return lost > 0.0 && lost > allowance(told_noise) ? verdict::regressed : verdict::healthy;
  }

  inline bool measured() const noexcept { return mean_.full(); }
  /// The smoothed metric and its standard error. @pre measured()
  inline double level() const noexcept { return mean_.mean(); }
  inline double level_error() const noexcept {
    return noise_.standard_deviation() / std::sqrt(static_cast<double>(limits_.window));
  }
  /// Whether a metric alone is clearly worse than the first level.
  inline bool far_out(double metric) const noexcept {
    constexpr double clearly = 4.0;
    return begun_ && metric > start_ + clearly * noise_.standard_deviation();
  }
  /// The recent best of the smoothed metric; infinity where there is none yet.
  inline double best() const noexcept { return best_.count() > 0.0 ? best_.value() : unknown; }
  /// Whether there is a smoothed metric, at most as large as `limit`.
  inline bool reached(double limit) const noexcept { return mean_.full() && mean_.mean() <= limit; }

  /// What was measured last has nothing to do with what comes; the reference stays.
  void interrupt() noexcept {
    mean_.clear();
    noise_.interrupt();
    noise_of_changes_.interrupt();
    last_mean_.reset();
    since_mean_ = 0;
    raw_count_ = 0;
  }
  /// The recent best is the present level.
  void forget_best() noexcept {
    best_.clear();
    if (!mean_.full()) return;
    best_.push(mean_.mean());
    follow_best();
  }
  /// The metric itself has moved: the recent best is the present level, and what was gained counts as before.
  /// @pre the last verdict was not `unknown`
  void rebase() noexcept {
    double const gain = gained();
    forget_best();
    start_ = mean_.mean() + gain;
  }
  /// Other training is judged from here on. @param from_start it began as this one did: what that gained is its gain
  void begin_afresh(bool from_start) noexcept {
    interrupt();
    best_.clear();
    noise_ = noise_of_changes_ = {};
    scatter_ = 0.0;
    noise_at_best_ = unknown;
    begun_ = begun_ && from_start;
  }

  void fields(archive& a) {
    a.section("regression test");
    a.same_option(limits_.window, "guard: window ([stability] window)");
    a(noise_)(noise_of_changes_)(mean_)(best_)(margin_)(margin_count_)(start_)(begun_)(last_)(before_last_)(raw_count_);
    a.below(since_mean_, limits_.window)(last_mean_)(scatter_)(noise_at_best_);
  }

 private:
  inline double without_outlier(double metric) noexcept {
    double const before_last = before_last_;
    double const last = last_;
    before_last_ = last_;
    last_ = metric;
    raw_count_ = std::min<std::size_t>(raw_count_ + 1, 3);
    if (limits_.window < 3 || raw_count_ < 3) return metric;
    return std::max(std::min(last, before_last), std::min(std::max(last, before_last), metric));
  }

  // By second differences, which no trend enlarges: of independent means they have the square root of six times their
  // deviation, of which differences of independent values are expected to have that of two.
  void follow_means() noexcept {
    constexpr double largest = std::numeric_limits<double>::max();
    if (last_mean_) noise_of_changes_.observe(std::clamp(mean_.mean() - *last_mean_, -largest, largest));
    last_mean_ = mean_.mean();
    if (!noise_of_changes_.settled()) return;
    double const root_window = std::sqrt(static_cast<double>(limits_.window));  // as if of single metrics
    scatter_ = noise_of_changes_.standard_deviation() / root_three * root_window;
  }

  inline double allowance(double told_noise) const noexcept {
    constexpr double never = std::numeric_limits<double>::infinity();
    if (limits_.max_regression == never) return never;
    double const rounding = 1e-9 * std::abs(best_.value());
    return limits_.max_regression * gained() + chance(told_noise) + rounding;
  }

  inline double gained() const noexcept {
    return std::clamp(start_ - best_.value(), 0.0, std::numeric_limits<double>::max());
  }

  void follow_best() noexcept { noise_at_best_ = noise_.settled() ? noise() : unknown; }

  // Metrics that depend on those before them, as where batches come in an order, scatter more in averages.
  inline double noise() const noexcept { return std::max(noise_.standard_deviation(), scatter_); }

  // Training that comes apart gets rough as well: that is no excuse for being worse.
  inline double chance(double told_noise) const noexcept {
    constexpr double rougher = 1.5;
    double sigma = std::min(noise(), rougher * noise_at_best_);
    if (told_noise > sigma && std::isfinite(told_noise)) sigma = told_noise;
    return margin_ > 0.0 ? margin_ * sigma : 0.0;
  }

  // Standard errors of the mean, in standard deviations of a metric. The minimum of k averages lies by chance up to
  // about sqrt(2 ln k) standard errors below their mean. Reckoned anew while there are more averages each time, then
  // never.
  void reckon_margin() noexcept {
    margin_count_ = best_.count();
    double const luck = std::sqrt(2.0 * std::log(margin_count_));
    margin_ = (limits_.noise_margin + luck) / std::sqrt(static_cast<double>(limits_.window));
  }

  static constexpr double unknown = std::numeric_limits<double>::infinity();
  static constexpr double root_three = 1.7320508075688772;

  regression_limits limits_;
  noise_estimate noise_;
  noise_estimate noise_of_changes_;  // from one mean to the next that has no metric in common with it
  std::size_t since_mean_ = 0;
  std::optional<double> last_mean_{};
  double scatter_ = 0.0;            // of averages, in deviations of one metric
  double noise_at_best_ = unknown;  // when the recent best was reached
  moving_average mean_;
  recent_minimum best_;
  double margin_ = 0.0;
  double margin_count_ = 0.0;
  double start_ = 0.0;
  bool begun_ = false;
  double last_ = 0.0;
  double before_last_ = 0.0;
  std::size_t raw_count_ = 0;
};

}  // namespace autotunenet
