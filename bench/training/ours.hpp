#pragma once

#include <memory>

#include "method.hpp"

namespace training {

/// AutoTuneNet through its public interface, with default settings, told of each step. It tunes the learning rate
/// alone, or with it the weight decay, momentum (beta1 for the Adam family), dropout and the gradient's clip norm.
struct ours_knows {
  bool several_parameters = false;
  bool horizon = true;  ///< how long the run will be
};
std::unique_ptr<controller> make_ours(ours_knows = {});

/// The same for a training loop that tells only of its epochs: the mean training loss of each, or the validation loss.
enum class told_of { training, validation };
std::unique_ptr<controller> make_ours_by_epochs(told_of);

}  // namespace training
