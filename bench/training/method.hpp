#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

namespace torch::optim {
class Optimizer;
}
namespace torch::nn {
class Module;
}

namespace training {

/// What is known before a run begins.
struct plan {
  double start_lr = 1e-3;
  std::size_t steps = 0;
  std::size_t steps_per_epoch = 0;
  std::uint64_t seed = 0;
  std::string optimizer;
  std::string problem;
};

/// What a method may turn while a run goes on. Everything outlives the run.
struct trainee {
  torch::optim::Optimizer* optimizer = nullptr;
  torch::nn::Module* model = nullptr;
  std::function<double()> lr{};
  std::function<void(double)> set_lr{};
  double* dropout = nullptr;    ///< chance that a hidden unit is dropped
  double* clip_norm = nullptr;  ///< the gradient's largest norm; infinity: not clipped
};

/// What a method did, for the record.
struct account {
  std::size_t rollbacks = 0;
  std::size_t undone_steps = 0;      ///< training steps that were trials, or whose effect the guard took back
  std::size_t overfitted_steps = 0;  ///< those that were taken back since validation had turned up
};

/// A method: decides the learning rate and whatever else while one run goes on.
class controller {
 public:
  controller() = default;
  controller(controller const&) = delete;
  controller& operator=(controller const&) = delete;
  virtual ~controller() = default;

  virtual void begin(plan const&, trainee&) {}
  virtual void before_step(std::size_t /*step*/, trainee&) {}
  /// After the backward pass. `alignment` is the gradient times the last step's direction of movement, that is the
  /// derivative of this loss by the last learning rate; only where `wants_alignment`.
  virtual void before_update(double /*alignment*/, trainee&) {}
  virtual void after_step(std::size_t /*step*/, double /*loss*/, trainee&) {}
  virtual void after_epoch(std::size_t /*epoch*/, double /*validation_loss*/, trainee&) {}
  virtual bool wants_alignment() const { return false; }
  /// Whether it may bring back weights that are lost; a run that is lost otherwise ends early.
  virtual bool restores() const { return false; }
  virtual account done() const { return {}; }
};

/// Throws std::invalid_argument for a name that there is not.
std::unique_ptr<controller> make_controller(std::string_view method);

}  // namespace training
