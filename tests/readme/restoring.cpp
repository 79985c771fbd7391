#include <coroutine>
#include <cstdint>
#include <memory>
#include <utility>

#include "torch_fwd.hpp"

import autotunenet.torch;

using namespace autotunenet;

struct data_loader {
  void rewind(std::int64_t steps);
};

void restoring(torch::optim::Optimizer& optimizer, std::shared_ptr<torch::nn::Module> const& model,
               suggestions pipeline, data_loader& loader) {
#include "restoring.1.inc"
}
