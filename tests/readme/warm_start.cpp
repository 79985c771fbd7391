#include <coroutine>
#include <memory>

#include "torch_fwd.hpp"

import autotunenet.journal;
import autotunenet.torch;

using namespace autotunenet;

void warm_start(torch::optim::Optimizer& optimizer, std::shared_ptr<torch::nn::Module> const& model,
                settings const& chosen, search_space const& space) {
#include "warm_start.1.inc"
}
