#pragma once

#include <torch/optim/optimizer.h>

#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "tensor_storage.hpp"

namespace autotunenet {

/// A deep copy of what an optimizer knows: every group's options, every parameter's state. LibTorch's own `clone`
/// shares the tensors, its archives lose what is undefined, and loading one taken before the first step keeps later
/// momenta.
class optimizer_copy {
 public:
  /// Whether the optimizer can be copied: LibTorch's own kinds, and others that implement `save` and `load`.
  static bool possible(torch::optim::Optimizer const& optimizer);

  /// Storage of an earlier save is used again where shapes allow. Throws `invalid_option` where it is not possible.
  void save(torch::optim::Optimizer const& optimizer, tensor_storage const& where);
  /// Throws `error` for an optimizer of another kind than was saved.
  void check(torch::optim::Optimizer const& optimizer) const;
  /// Parameters that were not the optimizer's when it was saved keep their state, groups that it did not have their
  /// options.
  void restore(torch::optim::Optimizer& optimizer) const;
  std::size_t bytes() const;
  /// Whether the parameter had a state when it was saved by which a step can go elsewhere than its gradient says.
  bool had_momentum(at::Tensor const& parameter) const;
  /// For checkpoints: the copy in an `archive`, by the places of parameters and groups in an optimizer of the same
  /// make, which may have more groups than when it was saved. Reading throws `checkpoint_error`, and leaves the copy in
  /// pieces then.
  template <class Archive>
  void fields(Archive& a, torch::optim::Optimizer const& optimizer);

 private:
  struct copier;
  static char const* how_name(torch::optim::Optimizer const& optimizer);
  static copier const* copier_of(torch::optim::Optimizer const& optimizer);

  copier const* how_ = nullptr;  // none: by the archive
  std::vector<std::unique_ptr<torch::optim::OptimizerOptions>> options_;
  std::vector<void*> parameters_;  // sorted
  std::unordered_map<void*, std::unique_ptr<torch::optim::OptimizerParamState>> states_;
  std::string archive_;  // of an optimizer that is not LibTorch's
};

}  // namespace autotunenet
