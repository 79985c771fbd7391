export module autotunenet:gaussian_process;

import autotunenet.standard;
import :archive;

export namespace autotunenet {

/// Standard deviations and scales of a Gaussian process.
struct hyperparameters {
  double signal = 1.0;  ///< of what configurations are worth
  double noise = 0.4;   ///< of an observation, beside the noise given with it
  double metric = 0.4;  ///< of each of the metrics that an observation is the difference of
  double step = 0.5;    ///< per unit of the cube, of what a step between configurations does at once
  /// The age at which the correlation with the present has fallen to one half.
  double half_life = std::numeric_limits<double>::infinity();
  /// Per dimension: the length scale in the unit cube; of a categorical one, theta: two categories correlate by
  /// exp(-1/theta).
  std::vector<double> length;
};

struct gaussian_process_options {
  /// One per dimension, of which there is one at least: whether its coordinate is a category, which is only equal or
  /// different.
  std::vector<bool> categorical;
  std::size_t capacity = 128;  ///< observations kept, 1 to 1024
  /// That of the hyperparameters to begin with; the median of its prior, where it is learned. Above 0.
  double half_life = std::numeric_limits<double>::infinity();
  bool learn_half_life = false;  ///< else it stays as it is
  double constant = 1.0;         ///< standard deviation of a level common to everything; finite, at least 0
  std::size_t subset = 64;       ///< newest observations that hyperparameters are learned from; at least 1
};

/// What was observed of a configuration.
struct observed_worth {
  double value = 0.0;
  double noise = 0.0;  ///< its own standard error
  std::span<double const>
      step{};                 ///< how the configuration was moved to get there, in the unit cube; empty: not at all
  unsigned metrics = 0;       ///< measured metrics that it is made of: 2 for the improvement from one to the next
  bool chained = false;       ///< whether the first of them is the last of the observation before
  double shared_noise = 0.0;  ///< the part of `noise`, of both observations, that this shared metric brought in
};

struct posterior {
  double mean = 0.0;
  double variance = 0.0;
};

/// A Gaussian process over the unit cube that forgets, in a window of fixed capacity.
///
/// An observation is y = f(x, t) + step . w + noise. The worth f has covariance
///     constant^2 + signal^2 * Matern 5/2 (x, x') * exp(-sum of [x_c != x'_c] / theta_c) * 2^(-|t - t'| / half_life):
/// the kernel of time is that of Bogunovic, Scarlett and Cevher (2016), "Time-varying Gaussian process bandit
/// optimization", equation 5, with (1 - epsilon)^(1/2) = 2^(-1/half_life); that of categories is Ru et al. (2020),
/// equation 3. The linear term, w ~ N(0, step^2 I), takes up what the move to x did at once, which is not what staying
/// there is worth. The noise of successive improvements is correlated: a metric measured too low makes the improvement
/// before it too large and the one after it too small, so neighbours in a chain have covariance -(metric^2 +
/// shared_noise^2).
///
/// Appending and forgetting take O(n^2); nothing is allocated after construction. Not thread-safe, reading included.
class gaussian_process {
 public:
  /// Throws `invalid_option`.
  explicit gaussian_process(gaussian_process_options options);
  gaussian_process(gaussian_process const&);
  gaussian_process(gaussian_process&&) noexcept;
  gaussian_process& operator=(gaussian_process const&);
  gaussian_process& operator=(gaussian_process&&) noexcept;
  ~gaussian_process();

  std::size_t dimensions() const noexcept;
  std::size_t size() const noexcept;
  std::size_t capacity() const noexcept;
  /// Value i, 0 the oldest. @pre i < size()
  double value(std::size_t i) const noexcept;

  /// Adds an observation at a time not before the newest; drops the oldest where the window is full. Throws
  /// `invalid_option` where anything is not finite, or the noise has no finite square. @pre spans of `dimensions()`
  /// values
  void append(std::span<double const> x, double time, observed_worth seen);
  /// Replaces all values, oldest first. Throws `invalid_option` where one is not finite. @pre size() values
  void values(std::span<double const> all);
  void clear() noexcept;

  hyperparameters const& parameters() const noexcept;
  /// Sets them, and refactorises in O(n^3). Throws `invalid_option` unless all but the half-life are finite,
  /// half-life and lengths above 0, the rest not below.
  void parameters(hyperparameters const&);

  /// The time at which predictions are made; until set, that of the newest observation.
  void look_at(double time) noexcept;
  /// Of the worth f at x. @pre `dimensions()` values everywhere
  posterior predict(std::span<double const> x) const;
  /// With gradients; those of categorical dimensions are 0.
  posterior predict(std::span<double const> x, std::span<double> mean_gradient,
                    std::span<double> variance_gradient) const;

  /// The point that `difference` compares with, at the time of `look_at`. Must be set anew after any change.
  void refer_to(std::span<double const> x);
  /// Of f(x) - f(reference), jointly; gradients where the spans are not empty.
  posterior difference(std::span<double const> x, std::span<double> mean_gradient = {},
                       std::span<double> variance_gradient = {}) const;

  /// Log marginal likelihood of the newest observations, at most `subset`, and its gradient with respect to the
  /// logarithms of signal, noise, metric, step, the half-life (0 where it is not learned) and the lengths, in this
  /// order. (Rasmussen and Williams 2006, equation 5.9.)
  double log_likelihood(std::span<double> gradient = {}) const;
  /// Steps of Adam up the log posterior of the hyperparameters given the newest observations, inside their bounds, and
  /// then refactorises: to be called a little and often. Lengths have priors that favour smoothness, the more so the
  /// more dimensions there are (Hvarfner, Hellsten and Nardi 2024).
  void learn(double rate = 0.1, int steps = 1);

  /// The largest deviation of the factor's square from the covariance, relative to the variance: a check of health,
  /// O(n^3).
  double factor_error() const;

  /// Visits the factor as it is: one made anew would differ in its last bits.
  void fields(archive& a);

 private:
  struct implementation;
  std::unique_ptr<implementation> all_;
};

}  // namespace autotunenet
