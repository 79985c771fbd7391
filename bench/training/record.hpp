#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace training {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

/// One run to be done. Two jobs that say the same give the same result.
struct job {
  std::string problem{};              ///< a network (network.hpp), "quadratic_250", "quadratic_1000" or "bandit"
  std::string regime = "stationary";  ///< see regime.hpp
  std::string method{};
  std::string optimizer{};
  double start_lr = 1e-3;
  std::uint64_t seed = 0;
  std::size_t epochs = 20;

  /// What tells runs apart in the results.
  std::string key() const;

  bool reads_text() const { return problem == "gru" || problem == "transformer"; }
};

/// How training stood at one point of a run.
struct measurement {
  double epoch = 0.0;
  std::size_t step = 0;
  double val_loss = unknown;
  double val_accuracy = unknown;
  double train_loss = unknown;  ///< the mean since the measurement before
  double lr = unknown;
};

/// One run. What could not be measured or was not finite is NaN, and null in JSON.
struct record {
  job what{};
  double final_val_loss = unknown;
  double best_val_loss = unknown;
  double test_accuracy = unknown;
  bool diverged = false;
  std::size_t rollbacks = 0;
  std::size_t restarts = 0;
  double extra_work_fraction = 0.0;  ///< training beside the run itself, or taken back by a guard, as a part of one run
  double overfitted_fraction = 0.0;  ///< training that was taken back since validation had turned up
  double controller_seconds = 0.0;
  double wall_seconds = 0.0;
  std::vector<measurement> history{};
};

/// One line of JSON, and back. `from_json` throws what nlohmann-json throws.
std::string to_json(record const&);
record from_json(std::string const&);

}  // namespace training
