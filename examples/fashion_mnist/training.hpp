#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <stop_token>
#include <string>

#include "data.hpp"

namespace fashion {

/// One training run.
struct plan {
  std::string optimizer = "adam";
  double start_rate = 1e-3;
  std::size_t epochs = 10;
  std::size_t images = 12'000;
  std::size_t batch = 64;
  std::uint64_t seed = 1;  ///< of the initial weights, the batch order and the tuner
  bool tuned = false;
  std::filesystem::path settings;    ///< empty: built in
  std::filesystem::path journal;     ///< empty: none
  std::filesystem::path earlier;     ///< journal of an earlier run; empty: none
  std::filesystem::path checkpoint;  ///< empty: none
  std::size_t checkpoint_every = 0;  ///< steps; 0: once per epoch
};

enum class resume_from : std::uint8_t { nothing, newest, previous };

inline constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

/// Where a run stands after an epoch.
struct standing {
  std::size_t epochs = 0;  ///< completed
  double training_loss = unknown, validation_loss = unknown, validation_accuracy = unknown;
  double rate = unknown;  ///< the learning rate in force
  std::size_t rollbacks = 0;
  std::string happenings;  ///< what the guard did in this epoch, for people
  double seconds = 0.0;    ///< of training, measured over all epochs
};

/// A run that proceeds epoch by epoch. Two runs with the same seed begin with the same weights and see the same
/// batches.
class training {
 public:
  /// Throws what the settings file, the optimizer, the tuner or the checkpoint reject. Where there is no checkpoint to
  /// resume from, the run begins.
  training(plan what, split const& data, resume_from where = resume_from::nothing);
  ~training();

  /// Called after each batch with the fraction of the epoch that is done, the loss and the learning rate.
  using on_batch = std::function<void(double, double, double)>;
  /// Trains one epoch, or what is left of it, and validates; false where a stop was requested before its end (validated
  /// all the same).
  bool epoch(on_batch const& shown, std::stop_token stop);
  standing const& now() const noexcept;
  double test_accuracy();
  /// Steps that were done when the run resumed; 0 for one that began.
  std::size_t resumed_at() const noexcept;
  /// What went wrong when a checkpoint was written, in words; empty: nothing. Training goes on all the same.
  std::string const& trouble() const noexcept;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace fashion
