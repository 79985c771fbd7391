export module autotunenet:every;

import autotunenet.standard;
import :generator;

export namespace autotunenet {

/// Observations from one move of a tuner to the next; each at least 1.
struct stride {
  std::size_t of_steps;   ///< where each covers one training step, or that is not known
  std::size_t of_epochs;  ///< where it covers an epoch
};

/// A stage that lets the tuner move at each n-th observation, and holds its suggestion in between. The tuner is told
/// one observation per stretch: the mean of the metrics, their standard error, the steps together, and the last
/// validation. Where n > 1 the first metric of a stretch is left out of the mean: a loss is computed before the update,
/// so it still belongs to the stretch before. A failure ends the stretch at once. A change of the applied values from
/// outside (a rollback, the end of a trial) begins a new one, and what is held from then on is what was applied. Throws
/// `invalid_option` for n = 0.
class every {
 public:
  explicit every(std::size_t n, std::pmr::memory_resource* memory = nullptr);
  explicit every(stride n, std::pmr::memory_resource* memory = nullptr);
  suggestions operator()(suggestions inner) const;

 private:
  stride n_;
  std::pmr::memory_resource* memory_;
};

}  // namespace autotunenet
