export module autotunenet:moving_average;

import autotunenet.standard;
import :archive;
import :error;

export namespace autotunenet {

/// How past values weigh in an average.
enum class averaging : std::uint8_t {
  window,       ///< the plain mean of the last `window` values
  exponential,  ///< weights falling by 1 - 2 / (window + 1) per value, corrected for the start
};

/// `from` moved towards `to` by `part`, in [0, 1]: exact at both ends and for equal values, and finite for any two
/// finite values.
inline double mixed(double from, double to, double part) noexcept {
  if (part >= 1.0) return to;
  double const way = to - from;
  return way - way == 0.0 ? from + part * way : (1.0 - part) * from + part * to;
}

/// The mean of recent values. Each update costs the same however long the run, allocates nothing, and leaves no
/// rounding behind: a window's mean depends on the values in the window alone.
class moving_average {
 public:
  /// Throws `invalid_option` unless `window` lies in 1 to 4096.
  explicit moving_average(std::size_t window, averaging kind = averaging::window);

  /// @pre value is finite
  void push(double value) noexcept;
  /// @pre count() > 0
  inline double mean() const noexcept { return mean_; }
  /// Values since the start, at most `window`.
  inline std::size_t count() const noexcept { return count_; }
  inline std::size_t window() const noexcept { return window_; }
  inline bool full() const noexcept { return count_ == window_; }
  /// How many independent values the mean is worth: its variance is that of one value divided by this.
  double effective_count() const noexcept;
  void clear() noexcept;
  void fields(archive& a);

 private:
  [[noreturn]] static void refuse_window(std::size_t window);
  void push_window(double value) noexcept;
  void push_exponential(double value) noexcept;

  averaging kind_;
  std::size_t window_;
  std::size_t count_ = 0;
  double size_ = 0.0;  // the count, as what is divided by
  double mean_ = 0.0;

  // Window. `newer_` sums the values written since the ring began anew; `older_[i]` sums those of the round before from
  // slot i on. Nothing is ever subtracted, so nothing can drift or cancel.
  std::vector<double> values_;
  std::vector<double> older_;
  std::size_t next_ = 0;
  double newer_ = 0.0;

  // Exponential: the weight that the time before the start still has.
  double before_ = 1.0;
};

inline moving_average::moving_average(std::size_t window, averaging kind) : kind_(kind), window_(window) {
  if (window < 1 || window > 4096) refuse_window(window);
  if (kind == averaging::window) {
    values_.resize(window);
    older_.resize(window + 1);
  }
}

inline void moving_average::push(double value) noexcept {
  if (count_ < window_) size_ = static_cast<double>(++count_);
  if (kind_ == averaging::window)
    push_window(value);
  else
    push_exponential(value);
}

inline void moving_average::push_window(double value) noexcept {
  values_[next_] = value;
  newer_ += value;
  ++next_;
  double const sum = newer_ + older_[next_];
  mean_ = sum / size_;
  if (sum - sum != 0.0) [[unlikely]] {
    mean_ = 0.0;
    for (std::size_t i = 0; i < count_; ++i) mean_ += values_[i] / size_;
    constexpr double largest = std::numeric_limits<double>::max();
    mean_ = std::clamp(mean_, -largest, largest);
  }
  if (next_ == window_) {
    older_[window_] = 0.0;
    for (std::size_t i = window_; i-- > 0;) older_[i] = older_[i + 1] + values_[i];
    newer_ = 0.0;
    next_ = 0;
  }
}

inline void moving_average::push_exponential(double value) noexcept {
  double const fresh = 2.0 / (static_cast<double>(window_) + 1.0);
  before_ *= 1.0 - fresh;
  if (before_ < std::numeric_limits<double>::epsilon()) before_ = 0.0;  // else it becomes denormal, and slow
  mean_ = mixed(mean_, value, fresh / (1.0 - before_));
}

inline double moving_average::effective_count() const noexcept {
  if (kind_ == averaging::window) return size_;
  return static_cast<double>(window_) * (1.0 - before_) / (1.0 + before_);
}

inline void moving_average::fields(archive& a) {
  a.section("moving average");
  a.below(count_, window_ + 1)(mean_)(newer_)(before_);
  size_ = static_cast<double>(count_);
  a.same_size(values_).same_size(older_);
  a.below(next_, std::max<std::size_t>(values_.size(), 1));
}

inline void moving_average::clear() noexcept {
  count_ = 0;
  size_ = 0.0;
  mean_ = 0.0;
  next_ = 0;
  newer_ = 0.0;
  before_ = 1.0;
  std::ranges::fill(older_, 0.0);
}

}  // namespace autotunenet
