#include <coroutine>
#include <cstddef>
#include <memory>
#include <vector>

#include "torch_fwd.hpp"

import autotunenet.torch;

using namespace autotunenet;

struct data_loader {};
std::vector<std::byte> position_of(data_loader const& loader);

void checkpointing(torch::optim::Optimizer& optimizer, std::shared_ptr<torch::nn::Module> const& model,
                   data_loader const& loader) {
#include "checkpoint.1.inc"
#include "checkpoint.2.inc"
}
