module;
#include "torch_fwd.hpp"

export module autotunenet.torch:training_snapshot;

import autotunenet.standard;
import autotunenet;

export namespace autotunenet {

using further_optimizers = std::span<torch::optim::Optimizer* const>;

/// A copy of everything that training changes: the model's parameters and buffers, the optimizer's
/// parameters, state and options, and the default CPU random engine. What runs after a restore is what ran after the
/// save, bit for bit, where LibTorch itself is deterministic.
///
/// Tensors are remembered by identity: a tensor that came to the model or the optimizer after the save stays as it is,
/// and so does its optimizer state. Random engines of other devices, and what the user's own code keeps (a data
/// loader's place, a schedule), are not part of it.
///
/// Works for LibTorch's optimizers, and for others through their `save` and `load`. Where several train together, the
/// further ones are given as `also`, at each call the same ones in the same order.
class training_snapshot {
 public:
  /// @param random_engine whether the default CPU random engine belongs to it
  /// @param folder where tensors are kept in files without a name, for models that do not fit in memory twice, wherever
  /// the process goes later; empty: in memory. Tensors of less than 64 KiB and those that are not in main memory are
  /// copied beside where they are, and an optimizer that is not LibTorch's keeps its archive in memory. Throws
  /// `invalid_option` where no file can be made.
  explicit training_snapshot(bool random_engine = true, std::filesystem::path const& folder = {});
  training_snapshot(training_snapshot&&) noexcept;
  training_snapshot& operator=(training_snapshot&&) noexcept;
  ~training_snapshot();

  /// Whether an optimizer can be copied: false for one that is not LibTorch's and does not implement `save`.
  static bool possible(torch::optim::Optimizer const& optimizer);

  /// Whether an optimizer has a parameter of the model.
  static bool share_parameters(torch::nn::Module const& model, torch::optim::Optimizer const& optimizer);

  /// Whether what is trained of a model holds neither NaN nor infinity, and the rest (buffers, frozen parameters) no
  /// NaN: a mask may well be infinite.
  static bool finite(torch::nn::Module const& model);
  /// The same of what was saved, the optimizer's parameters included; false where nothing was.
  bool finite() const;

  /// Copies; storage of an earlier save is used again. Throws `invalid_option` where the optimizer cannot be copied,
  /// and `error` where the folder has no room; what was saved before is lost then.
  void save(torch::nn::Module const& model, torch::optim::Optimizer const& optimizer, further_optimizers also = {});

  /// Puts everything back; the optimizers must be those that were saved. Gradients become undefined, so that none of an
  /// abandoned step is applied: until the next backward pass a `step()` does nothing. Every parameter's version counter
  /// moves, so that a graph built before cannot be run backward by mistake. A tensor whose shape has changed since has
  /// the one it had. Throws `error`, before anything is changed, when nothing was saved; and one that names the tensor
  /// where LibTorch cannot write to it.
  /// @param and_random_engine false: the engine, if it belongs to the snapshot, goes on as it is now all the same
  void restore(torch::optim::Optimizer& optimizer, bool and_random_engine = true, further_optimizers also = {}) const;

  /// Whether the weights are not what one step of the optimizer has made of those that were saved, as far as gradients
  /// tell: of at least 300 numbers that moved, between 35 % and 65 % went the way of the step. Only what is dense and
  /// has a gradient counts, of LibTorch's optimizers but for LBFGS, and nothing where momentum had begun before the
  /// save.
  bool replaced(torch::optim::Optimizer const& optimizer) const;

  /// For checkpoints: the snapshot in an archive, by the places of tensors in a model and as many optimizers of the
  /// same make, which may have more parameters and groups than when it was saved. A buffer may have been of another
  /// length. Reading throws `checkpoint_error` where they are of another make; the snapshot is empty then.
  void fields(archive& a, torch::nn::Module const& model, torch::optim::Optimizer const& optimizer,
              further_optimizers also = {});

  bool with_random_engine() const noexcept { return random_engine_; }
  bool empty() const noexcept;
  /// Forgets, and gives the memory back.
  void clear() noexcept;
  /// What the tensors take.
  std::size_t bytes() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
  bool random_engine_;
};

}  // namespace autotunenet

namespace autotunenet {

/// What snapshots of so many bytes take in an archive, about: beside the tensors lie shapes, options, random engines.
inline std::size_t room_in_archive(std::size_t bytes, std::size_t snapshots = 1) {
  return bytes + bytes / 16 + snapshots * (std::size_t{64} << 10);
}

}  // namespace autotunenet
