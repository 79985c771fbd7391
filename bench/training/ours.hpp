#pragma once

#include <memory>

#include "method.hpp"

namespace training {

/// AutoTuneNet through its public interface, with default settings: the learning rate alone, or with it the weight
/// decay, momentum (beta1 for the Adam family), dropout and the gradient's clip norm.
std::unique_ptr<controller> make_ours(bool several);

}  // namespace training
