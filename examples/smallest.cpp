#include <torch/torch.h>

#include <cstddef>
#include <cstdio>

import autotunenet.torch;

using namespace autotunenet;

int main() {
  torch::manual_seed(1);
  auto inputs = torch::randn({4096, 16}), targets = inputs.matmul(torch::randn({16, 1})).tanh();
  torch::nn::Sequential model(torch::nn::Linear(16, 64), torch::nn::ReLU(), torch::nn::Linear(64, 1));
  torch::optim::Adam optimizer(model->parameters(), 1e-5);  // far too low

  constexpr std::size_t steps = 2000;
  settings const chosen{.parameters = search_space{real{"lr", 1e-6, 1.0, scale::log}},
                        .tuning = {.objective = hook::step, .seed = 1, .horizon = steps}};
  torch_tuner tuner = tune(optimizer, chosen, {.model = model.get()});

  for (std::size_t step = 1; step <= steps; ++step) {
    auto batch = torch::randint(4096, {64});
    optimizer.zero_grad();
    auto loss = torch::mse_loss(model->forward(inputs.index_select(0, batch)), targets.index_select(0, batch));
    loss.backward();
    optimizer.step();
    tuner.on_step_end(loss);
    if (step % 200 == 0) std::printf("step %4zu  loss %.4f  lr %.2e\n", step, loss.item<double>(), tuner.applied()[0]);
  }
}
