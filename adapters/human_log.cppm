module;
#include "spdlog_fwd.hpp"

export module autotunenet.journal:human_log;

import autotunenet.standard;
import autotunenet;

export namespace autotunenet {

/// A line for a person wherever something happens, through a logger of the user's own; quiet while nothing does.
///
/// Warnings are failures, rollbacks and back-offs, and what a loop may have got wrong: a metric that has only become
/// worse, training that goes on past its horizon, a learning rate that could not be looked for, values that something
/// else overrides, weights that were loaded after the tuner was made, metrics that are no numbers while the weights
/// are, an objective that is told rarely, a horizon that is far for epochs. Changes of the tuner's, clamps (but those
/// of annealing), where a resumed run goes on, the two ends of cooldown and of the range test, the end of warm-up, a
/// metric that is judged from a new level, overfitting, and trials of the state at the best validation are information.
/// What a schedule or a sweep changes at every step, regressions that patience still bears, and new good configurations
/// are for debugging.
///
/// What fails here, fails silently: training goes on. Not thread-safe beyond the logger itself.
class human_log : public observer {
 public:
  /// Throws `invalid_option` where there is no logger.
  explicit human_log(std::shared_ptr<spdlog::logger> logger);
  void suggested(suggestion const&) override;
  void observed(suggestion const&, observation const&) override;

 private:
  void write(suggestion const& next);

  std::shared_ptr<spdlog::logger> logger_;
  std::vector<double> before_;
  configuration shown_;   // what the last line said
  std::size_t last_ = 0;  // the number of the last suggestion
  double metric_ = 0.0;
  bool measured_ = false;
};

}  // namespace autotunenet
