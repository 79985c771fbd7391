#include <torch/nn/modules/linear.h>
#include <torch/optim/sgd.h>

#include <cstdio>

import autotunenet.torch;

using namespace autotunenet;

int main() {
  torch::nn::Linear model(2, 1);
  torch::optim::SGD optimizer(model->parameters(), 1.0);
  settings const chosen{.parameters = search_space{real{"lr", 1e-4, 1e-1, scale::log}}};
  torch_tuner tuner = tune(optimizer, chosen, {.model = model.get()});
  tuner.on_step_end(1.0);
  std::printf("lr %g\n", tuner.applied()[0]);
  return tuner.applied()[0] <= 1e-1 ? 0 : 1;
}
