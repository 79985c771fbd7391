// The adapter: what applying a suggestion costs, and what share of a training run all of it takes.
#include <ATen/Parallel.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <benchmark/benchmark.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adam.h>
#include <unistd.h>

#include <chrono>
#include <coroutine>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "goals.hpp"

import autotunenet.torch;
import autotunenet.journal;

using namespace autotunenet;
namespace nn = torch::nn;
namespace optim = torch::optim;

namespace {

/// CPU time costs a system call, more than what is to be measured; this reads a register.
double microseconds() {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void apply_to_two_groups(benchmark::State& state) {
  nn::Linear first(8, 8);
  nn::Linear second(8, 8);
  std::vector<optim::OptimizerParamGroup> groups;
  groups.emplace_back(first->parameters(), std::make_unique<optim::AdamOptions>(1e-3));
  groups.emplace_back(second->parameters(), std::make_unique<optim::AdamOptions>(1e-4));
  optim::Adam optimizer(groups, optim::AdamOptions(1e-3));
  search_space const space{real{"lr", 1e-6, 1.0, scale::log}, real{"weight_decay", 1e-8, 1e-1, scale::log}};
  optimizer_values values(optimizer, space);
  std::vector<configuration> by_turns{space.center(), space.center()};
  by_turns[1].assign({{0.01, 1e-4}});
  std::size_t turn = 0;
  for (auto _ : state) values.apply(by_turns[++turn % 2]);
}

/// A network of the main job's size on random images: each iteration is a training step. The hook is timed by itself,
/// after the loss was read, which training would wait for anyhow. Where another process interrupts the hook or the
/// step, both times grow alike.
void training_run(benchmark::State& state) {
  at::set_num_threads(1);
  bool const with_journal = state.range(0) == 1;
  nn::Sequential model(nn::Linear(784, 128), nn::ReLU(), nn::Linear(128, 10));
  optim::Adam optimizer(model->parameters(), optim::AdamOptions(1e-3));
  at::Tensor const images = at::rand({64, 784});
  at::Tensor const labels = at::randint(10, {64}, at::kLong);
  search_space const space{real{"lr", 1e-6, 1.0, scale::log}};
  settings const chosen{.tuning = {.objective = hook::step, .seed = 1}};
  auto const file = std::filesystem::temp_directory_path() / ("adapter-" + std::to_string(::getpid()) + ".jsonl");
  std::filesystem::remove(file);
  {
    journal written(file, space);
    suggestions pipeline = make_pipeline(chosen, current_values(optimizer, space));
    if (with_journal) pipeline = std::move(pipeline) | watch(written);
    torch_tuner tuner(optimizer, std::move(pipeline), {.model = model.ptr().get()});
    double in_hook = 0.0;
    double const begin = microseconds();
    for (auto _ : state) {
      optimizer.zero_grad();
      at::Tensor const loss = nn::functional::cross_entropy(model->forward(images), labels);
      loss.backward();
      optimizer.step();
      double const metric = loss.item<double>();
      double const before = microseconds();
      tuner.on_step_end(metric);
      in_hook += microseconds() - before;
    }
    double const all = microseconds() - begin;
    double const copies = 1e6 * tuner.snapshot_seconds();
    state.counters["hook_us"] = (in_hook - copies) / static_cast<double>(state.iterations());
    state.counters["share"] = (in_hook - copies) / all;
    state.counters["share_of_copies"] = copies / all;
  }
  std::filesystem::remove(file);
}

BENCHMARK(apply_to_two_groups);
BENCHMARK(training_run)->ArgName("journal")->Arg(0)->Arg(1)->Iterations(2000)->Unit(benchmark::kMicrosecond);

}  // namespace

int main(int count, char** given) {
  suggest::medians found;
  if (!suggest::run_all(count, given, found)) return 1;
  suggest::goal const goals[] = {
      {"applying a suggestion to Adam with two groups", 1000.0, found.time("apply_to_two_groups"), " ns"},
      {"share of training, journal on, copies of its state apart", 0.1,
       100.0 * found.counter("training_run/journal:1", "share"), " %"},
      {"the same, journal off", 0.1, 100.0 * found.counter("training_run/journal:0", "share"), " %"},
  };
  suggest::print(goals);
}
