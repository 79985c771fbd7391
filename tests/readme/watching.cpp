#include <coroutine>
#include <memory>

#include "torch_fwd.hpp"
#include "watching.1.inc"

// An import, behind which no header may come.
#include "watching.2.inc"
import autotunenet.torch;

using namespace autotunenet;

void watching(torch::optim::Optimizer& optimizer, std::shared_ptr<torch::nn::Module> const& model,
              settings const& chosen) {
#include "watching.3.inc"
}
