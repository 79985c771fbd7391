#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>

#include "bold_driver.hpp"
#include "hypergradient.hpp"
#include "method.hpp"
#include "ours.hpp"
#include "plateau.hpp"
#include "python_policy.hpp"
#include "schedules.hpp"

namespace training {

namespace {

class fixed final : public controller {};

class scheduled final : public controller {
 public:
  explicit scheduled(double (*shape)(double)) : shape_(shape) {}
  void begin(plan const& run, trainee&) override { run_ = run; }
  void before_step(std::size_t step, trainee& t) override {
    t.set_lr(run_.start_lr * shape_(static_cast<double>(step) / static_cast<double>(run_.steps)));
  }

 private:
  double (*shape_)(double);
  plan run_;
};

class reduce_on_plateau final : public controller {
  void after_epoch(std::size_t, double validation_loss, trainee& t) override {
    double const factor = plateau_.tell(validation_loss);
    if (factor < 1.0) t.set_lr(t.lr() * factor);
  }

  plateau plateau_;
};

/// With the hyper-rates that the paper uses on MNIST.
class hypergradient_descent final : public controller {
  void begin(plan const& run, trainee&) override {
    rate_ = hypergradient(run.start_lr, run.optimizer.starts_with("adam") ? 1e-7 : 1e-3);
  }
  void before_update(double alignment, trainee& t) override { t.set_lr(rate_.tell(alignment)); }
  bool wants_alignment() const override { return true; }

  hypergradient rate_{0.0, 0.0};
};

/// A hundred decisions in a run, whatever its length.
std::size_t stretch_of(plan const& run) { return std::max<std::size_t>(1, run.steps / 100); }

class heuristic_online final : public controller {
  void begin(plan const& run, trainee&) override { driver_ = bold_driver(stretch_of(run)); }
  void after_step(std::size_t, double loss, trainee& t) override {
    double const factor = driver_.tell(loss);
    if (factor != 1.0) t.set_lr(std::min(t.lr() * factor, 1e3));
  }

  bold_driver driver_{1};
};

/// A random walk on the logarithm of the rate, at most a factor of 1.5 a move: online tuning that learns nothing.
class random_online final : public controller {
  void begin(plan const& run, trainee&) override {
    stretch_ = stretch_of(run);
    engine_.seed(run.seed + 1);
  }
  void after_step(std::size_t step, double, trainee& t) override {
    if ((step + 1) % stretch_ != 0) return;
    double const unit = static_cast<double>(engine_() >> 11) * 0x1p-53;
    t.set_lr(std::clamp(t.lr() * std::pow(1.5, 2.0 * unit - 1.0), 1e-6, 1e2));
  }

  std::size_t stretch_ = 1;
  std::mt19937_64 engine_;
};

}  // namespace

std::unique_ptr<controller> make_controller(std::string_view method) {
  if (method == "fixed") return std::make_unique<fixed>();
  if (method == "cosine" || method == "prodigy") return std::make_unique<scheduled>(cosine_shape);
  if (method == "step") return std::make_unique<scheduled>(step_shape);
  if (method == "one_cycle") return std::make_unique<scheduled>(one_cycle_shape);
  if (method == "plateau") return std::make_unique<reduce_on_plateau>();
  if (method == "hypergradient") return std::make_unique<hypergradient_descent>();
  if (method == "heuristic_online") return std::make_unique<heuristic_online>();
  if (method == "random_online") return std::make_unique<random_online>();
  if (method == "python_policy") return make_python_policy();
  if (method == "ours") return make_ours();
  if (method == "ours_several") return make_ours({.several_parameters = true});
  if (method == "ours_open") return make_ours({.horizon = false});
  if (method == "ours_epochs") return make_ours_by_epochs(told_of::training);
  if (method == "ours_validations") return make_ours_by_epochs(told_of::validation);
  throw std::invalid_argument("There is no method " + std::string(method) + ".");
}

}  // namespace training
