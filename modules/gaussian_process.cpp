module;
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <format>
#include <limits>
#include <memory>
#include <numbers>
#include <span>
#include <utility>
#include <vector>

#include "covariance.hpp"
#include "hyperparameter_prior.hpp"
#include "marginal_likelihood.hpp"
#include "own_eigen.hpp"
#include "sliding_factor.hpp"

module autotunenet;

namespace autotunenet {

using detail::index;
using detail::vector;

namespace {

constexpr index slack = 32;  // rows that the factor creeps before it is moved back

using flags = Eigen::Array<bool, Eigen::Dynamic, 1>;

gaussian_process_options const& checked(gaussian_process_options const& options) {
  if (options.categorical.empty()) throw invalid_option("gaussian_process: needs at least one dimension");
  if (options.capacity < 1 || options.capacity > 1024) {
    throw invalid_option(std::format("gaussian_process: capacity = {} must lie between 1 and 1024", options.capacity));
  }
  if (!(options.half_life > 0.0)) {
    throw invalid_option(std::format("gaussian_process: half_life = {} must be above 0", options.half_life));
  }
  if (!(options.constant >= 0.0) || !std::isfinite(options.constant)) {
    throw invalid_option(
        std::format("gaussian_process: constant = {} must be finite and not below 0", options.constant));
  }
  if (options.subset < 1) throw invalid_option("gaussian_process: subset = 0 must be at least 1");
  return options;
}

flags flags_of(std::vector<bool> const& categorical) {
  flags made(static_cast<index>(categorical.size()));
  for (std::size_t i = 0; i < categorical.size(); ++i) made[static_cast<index>(i)] = categorical[i];
  return made;
}

bool all_finite(std::span<double const> values) {
  return std::ranges::all_of(values, [](double v) { return std::isfinite(v); });
}

Eigen::Map<vector const> view(std::span<double const> values) {
  return {values.data(), static_cast<index>(values.size())};
}

}  // namespace

struct gaussian_process::implementation {
  explicit implementation(gaussian_process_options const& options)
      : capacity(static_cast<index>(options.capacity)),
        dimensions(static_cast<index>(options.categorical.size())),
        subset(static_cast<index>(std::min(options.subset, options.capacity))),
        rows(capacity + slack),
        factor(capacity, slack),
        points(rows, dimensions),
        climb(dimensions, flags_of(options.categorical), options.half_life),
        likelihood(subset, dimensions, options.learn_half_life),
        alpha(vector::Zero(rows)),
        reference(vector::Zero(rows)),
        kernel(rows),
        slope(rows),
        solved(rows),
        work(rows),
        reference_x(vector::Zero(dimensions)),
        logs(detail::covariance::count(dimensions)),
        gradient(logs.size()),
        learn_half_life(options.learn_half_life) {
    prior.categorical = flags_of(options.categorical);
    prior.constant = options.constant * options.constant;
    prior.inverse_length.resize(dimensions);
    given.signal = climb.typical(0);
    given.noise = climb.typical(1);
    given.metric = climb.typical(2);
    given.step = climb.typical(3);
    given.half_life = options.half_life;
    for (index d = 0; d < dimensions; ++d) given.length.push_back(climb.typical(detail::covariance::lengths + d));
    use();
  }

  index first() const { return factor.first(); }
  index size() const { return factor.size(); }

  void use() {
    prior.signal = given.signal * given.signal;
    prior.noise = given.noise * given.noise;
    prior.metric = given.metric * given.metric;
    prior.step = given.step * given.step;
    prior.decay = std::numbers::ln2 / given.half_life;
    for (index d = 0; d < dimensions; ++d) prior.inverse_length[d] = 1.0 / given.length[static_cast<std::size_t>(d)];
  }

  void covariances(index from, index n, double const* x, index stride, double time, double* k) {
    prior.evaluate(points, from, n, x, stride, time, k, slope.data(), work.data());
  }

  void fill(auto&& lower) {
    for (index j = 0; j < size(); ++j) {
      index const row = first() + j;
      double* const column = &lower(j, j);
      covariances(row, size() - j, &points.x(row, 0), rows, points.time[row], column);
      detail::add_observation(prior, points, row, size() - j, row, column);
      column[0] += detail::own_noise(prior, points, row);
    }
  }

  void refactorise() {
    solved_alpha = false;
    if (size() == 0) return;
    for (index i = 0; first() > 0 && i < size(); ++i) points.copy_row(first() + i, i);
    index const n = size();
    factor.clear();
    factor.resize(n);
    fill(factor.lower());
    factor.factorise(points.added.data());
  }

  void make_room() {
    if (size() == capacity) factor.drop_first();
    if (!factor.at_end()) return;
    for (index i = 0; i < size(); ++i) points.copy_row(first() + i, i);
    factor.compact();
  }

  void append(std::span<double const> x, double time, observed_worth const& seen) {
    make_room();
    index const row = first() + size();
    points.x.row(row) = view(x).transpose();
    if (seen.step.empty())
      points.step.row(row).setZero();
    else
      points.step.row(row) = view(seen.step).transpose();
    points.time[row] = now = time;
    points.value[row] = seen.value;
    points.noise[row] = seen.noise * seen.noise;
    points.metrics[row] = static_cast<double>(seen.metrics);
    // Neighbours that shared more than each of them has would have no covariance.
    double const has = size() > 0 ? std::min(points.noise[row], points.noise[row - 1]) : 0.0;
    points.shared[row] = seen.chained ? std::min(seen.shared_noise * seen.shared_noise, has) : -1.0;
    covariances(first(), size(), x.data(), 1, time, kernel.data());
    detail::add_observation(prior, points, first(), size(), row, kernel.data());
    double const diagonal =
        prior.variance() + prior.step * points.step.row(row).squaredNorm() + detail::own_noise(prior, points, row);
    points.added[row] = factor.append(kernel.head(size()), diagonal);
    solved_alpha = false;
  }

  Eigen::VectorBlock<vector> weights() {
    auto all = alpha.head(size());
    if (!solved_alpha) {
      all = points.value.segment(first(), size());
      factor.solve_lower(all);
      factor.solve_upper(all);
      solved_alpha = true;
    }
    return all;
  }

  /// sum of weight_i * dk(x, X_i)/dx; `weight` is overwritten.
  void gradient_of(Eigen::Ref<vector> weight, std::span<double const> x, std::span<double> out) {
    weight.array() *= slope.head(size()).array();
    double const sum = weight.sum();
    for (index d = 0; d < dimensions; ++d) {
      auto const at = static_cast<std::size_t>(d);
      double const inverse = prior.inverse_length[d];
      out[at] = prior.categorical[d]
                    ? 0.0
                    : inverse * inverse * (weight.dot(points.x.col(d).segment(first(), size())) - x[at] * sum);
    }
  }

  posterior predict(std::span<double const> x, std::span<double> mean_gradient, std::span<double> variance_gradient) {
    auto const solution = weights();
    auto k = kernel.head(size());
    auto v = solved.head(size());
    covariances(first(), size(), x.data(), 1, now, k.data());
    v = k;
    factor.solve_lower(v);
    posterior const found{k.dot(solution), std::max(0.0, prior.variance() - v.squaredNorm())};
    if (!mean_gradient.empty()) {
      k = solution;
      gradient_of(k, x, mean_gradient);
    }
    if (!variance_gradient.empty()) {
      factor.solve_upper(v);
      v *= -2.0;
      gradient_of(v, x, variance_gradient);
    }
    return found;
  }

  void refer_to(std::span<double const> x) {
    reference_x = view(x);
    auto k = kernel.head(size());
    covariances(first(), size(), x.data(), 1, now, k.data());
    reference_mean = k.dot(weights());
    auto v = reference.head(size());
    v = k;
    factor.solve_lower(v);
  }

  posterior difference(std::span<double const> x, std::span<double> mean_gradient,
                       std::span<double> variance_gradient) {
    bool const value_only = mean_gradient.empty() && variance_gradient.empty();
    if (value_only && std::ranges::equal(x, reference_x)) return {};
    auto const solution = weights();
    auto k = kernel.head(size());
    auto v = solved.head(size());
    covariances(first(), size(), x.data(), 1, now, k.data());
    double const mean = k.dot(solution) - reference_mean;
    v = k;
    factor.solve_lower(v);
    v -= reference.head(size());
    near_reference(x);
    posterior const found{mean, std::max(0.0, 2.0 * (prior.signal - near) - v.squaredNorm())};
    if (!mean_gradient.empty()) {
      k = solution;
      gradient_of(k, x, mean_gradient);
    }
    if (!variance_gradient.empty()) {
      factor.solve_upper(v);
      v *= -2.0;
      gradient_of(v, x, variance_gradient);
      for (index d = 0; d < dimensions; ++d) {
        if (prior.categorical[d]) continue;
        auto const at = static_cast<std::size_t>(d);
        double const inverse = prior.inverse_length[d];
        variance_gradient[at] += 2.0 * near_slope * (x[at] - reference_x[d]) * inverse * inverse;
      }
    }
    return found;
  }

  /// The covariance between x and the reference, without the constant, and its slope.
  void near_reference(std::span<double const> x) {
    double distance = 0.0;
    double other = 0.0;
    for (index d = 0; d < dimensions; ++d) {
      double const apart = x[static_cast<std::size_t>(d)] - reference_x[d];
      if (prior.categorical[d])
        other += apart == 0.0 ? 0.0 : prior.inverse_length[d];
      else
        distance += apart * apart * prior.inverse_length[d] * prior.inverse_length[d];
    }
    double const r = std::sqrt(5.0 * distance);
    double const base = prior.signal * std::exp(-r - other);
    near = base * (1.0 + r + r * r / 3.0);
    near_slope = (5.0 / 3.0) * base * (1.0 + r);
  }

  double log_likelihood(double* into) {
    index const n = std::min(size(), subset);
    if (n == 0) {
      if (into) std::fill_n(into, logs.size(), 0.0);
      return 0.0;
    }
    return likelihood(prior, points, first() + size() - n, n, into);
  }

  /// The likelihood has a factor of its own, so the window's may wait for the last of several steps.
  void learn(double rate) {
    log_likelihood(gradient.data());
    logs[0] = std::log(std::max(given.signal, 1e-6));
    logs[1] = std::log(std::max(given.noise, 1e-6));
    logs[2] = std::log(std::max(given.metric, 1e-6));
    logs[3] = std::log(std::max(given.step, 1e-6));
    logs[detail::covariance::half_life] =
        std::log(learn_half_life ? std::min(given.half_life, 1e300) : climb.typical(detail::covariance::half_life));
    for (index d = 0; d < dimensions; ++d)
      logs[detail::covariance::lengths + d] = std::log(given.length[static_cast<std::size_t>(d)]);
    climb.climb(logs, gradient, rate);
    given.signal = std::exp(logs[0]);
    given.noise = std::exp(logs[1]);
    given.metric = std::exp(logs[2]);
    given.step = std::exp(logs[3]);
    if (learn_half_life) given.half_life = std::exp(logs[detail::covariance::half_life]);
    for (index d = 0; d < dimensions; ++d)
      given.length[static_cast<std::size_t>(d)] = std::exp(logs[detail::covariance::lengths + d]);
    use();
  }

  void fields(archive& a) {
    a.section("gaussian process");
    for (double* one : {&given.signal, &given.noise, &given.metric, &given.step}) a.between(*one, 0.0, 1e300);
    a.same_size(given.length);
    for (double& length : given.length) a.between(length, 1e-300, 1e300);
    a.between(given.half_life, 1e-300, std::numeric_limits<double>::infinity());
    if (a.reading()) use();
    factor.fields(a);
    if (size() > capacity) archive::refuse("holds more observations than the window");
    points.fields(a, first(), size());
    climb.fields(a);
    detail::exchange(a, alpha.head(size()));
    detail::exchange(a, reference.head(size()));
    detail::exchange(a, reference_x);
    a(now)(reference_mean)(solved_alpha);
  }

  index capacity, dimensions, subset, rows;
  detail::covariance prior;
  hyperparameters given;
  detail::sliding_factor factor;
  detail::window_points points;
  detail::hyperparameter_prior climb;
  detail::marginal_likelihood likelihood;
  vector alpha, reference, kernel, slope, solved, work, reference_x, logs, gradient;
  bool learn_half_life;
  double now = 0.0;
  double reference_mean = 0.0;
  double near = 0.0;
  double near_slope = 0.0;
  bool solved_alpha = false;
};

gaussian_process::gaussian_process(gaussian_process_options options)
    : all_(std::make_unique<implementation>(checked(options))) {}
gaussian_process::gaussian_process(gaussian_process const& other)
    : all_(std::make_unique<implementation>(*other.all_)) {}
gaussian_process::gaussian_process(gaussian_process&&) noexcept = default;
gaussian_process& gaussian_process::operator=(gaussian_process const& other) {
  if (this != &other) all_ = std::make_unique<implementation>(*other.all_);
  return *this;
}
gaussian_process& gaussian_process::operator=(gaussian_process&&) noexcept = default;
gaussian_process::~gaussian_process() = default;

std::size_t gaussian_process::dimensions() const noexcept { return static_cast<std::size_t>(all_->dimensions); }
std::size_t gaussian_process::size() const noexcept { return static_cast<std::size_t>(all_->size()); }
std::size_t gaussian_process::capacity() const noexcept { return static_cast<std::size_t>(all_->capacity); }
double gaussian_process::value(std::size_t i) const noexcept {
  return all_->points.value[all_->first() + static_cast<index>(i)];
}

void gaussian_process::append(std::span<double const> x, double time, observed_worth seen) {
  double const variance = seen.noise * seen.noise;
  if (!all_finite(x) || !all_finite(seen.step) || !all_finite(std::array{time, seen.value, variance})) {
    throw invalid_option(std::format(
        "gaussian_process: an observation at time {} of value {} and noise {}, and its place, must be finite", time,
        seen.value, seen.noise));
  }
  all_->append(x, time, seen);
}
void gaussian_process::values(std::span<double const> all) {
  if (!all_finite(all)) throw invalid_option("gaussian_process: values must be finite");
  all_->points.value.segment(all_->first(), all_->size()) = view(all);
  all_->solved_alpha = false;
}
void gaussian_process::clear() noexcept { all_->factor.clear(); }

hyperparameters const& gaussian_process::parameters() const noexcept { return all_->given; }
void gaussian_process::parameters(hyperparameters const& given) {
  auto const fine = [](double value) { return std::isfinite(value) && value >= 0.0; };
  if (!fine(given.signal) || !fine(given.noise) || !fine(given.metric) || !fine(given.step)) {
    throw invalid_option(std::format(
        "hyperparameters: signal = {}, noise = {}, metric = {} and step = {} must be finite and not below 0",
        given.signal, given.noise, given.metric, given.step));
  }
  if (!(given.half_life > 0.0)) {
    throw invalid_option(std::format("hyperparameters: half_life = {} must be above 0", given.half_life));
  }
  if (given.length.size() != dimensions()) {
    throw invalid_option(
        std::format("hyperparameters: {} lengths given for {} dimensions", given.length.size(), dimensions()));
  }
  for (double length : given.length) {
    if (!fine(length) || length == 0.0) {
      throw invalid_option(std::format("hyperparameters: length = {} must be finite and above 0", length));
    }
  }
  all_->given = given;
  all_->use();
  all_->refactorise();
}

void gaussian_process::look_at(double time) noexcept { all_->now = time; }
posterior gaussian_process::predict(std::span<double const> x) const { return all_->predict(x, {}, {}); }
posterior gaussian_process::predict(std::span<double const> x, std::span<double> mean_gradient,
                                    std::span<double> variance_gradient) const {
  return all_->predict(x, mean_gradient, variance_gradient);
}
void gaussian_process::refer_to(std::span<double const> x) { all_->refer_to(x); }
posterior gaussian_process::difference(std::span<double const> x, std::span<double> mean_gradient,
                                       std::span<double> variance_gradient) const {
  return all_->difference(x, mean_gradient, variance_gradient);
}

double gaussian_process::log_likelihood(std::span<double> gradient) const {
  return all_->log_likelihood(gradient.empty() ? nullptr : gradient.data());
}
void gaussian_process::learn(double rate, int steps) {
  for (int i = 0; i < steps; ++i) all_->learn(rate);
  all_->refactorise();
}

void gaussian_process::fields(archive& a) { all_->fields(a); }

double gaussian_process::factor_error() const {
  index const n = all_->size();
  if (n == 0) return 0.0;
  detail::matrix expected = detail::matrix::Zero(n, n);
  all_->fill(expected);
  expected.diagonal() += all_->points.added.segment(all_->first(), n);
  detail::matrix const lower = all_->factor.lower().template triangularView<Eigen::Lower>();
  detail::matrix const error = detail::matrix(lower * lower.transpose()) - expected;
  double largest = 0.0;
  for (index j = 0; j < n; ++j) largest = std::max(largest, error.col(j).tail(n - j).cwiseAbs().maxCoeff());
  return largest / all_->prior.variance();
}

}  // namespace autotunenet
