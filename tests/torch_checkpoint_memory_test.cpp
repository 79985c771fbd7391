#include <malloc.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/sgd.h>

#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <filesystem>
#include <format>
#include <fstream>
#include <functional>
#include <optional>
#include <string>

#include "support/folder.hpp"
#include "support/resumable_run.hpp"
#include "support/sanitized.hpp"

import autotunenet.torch;

using namespace autotunenet;
namespace optim = torch::optim;

#ifndef AUTOTUNENET_SANITIZED

namespace {

/// A line of /proc/self/status that counts kB.
double megabytes(std::string const& what) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word != what + ":") continue;
    double kilobytes = 0.0;
    status >> kilobytes;
    return kilobytes / 1024.0;
  }
  return 0.0;
}

/// The most memory that a call takes on top of what is in use.
double most_taken_by(std::function<void()> const& call) {
  malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << 5;  // the peak begins anew
  double const before = megabytes("VmRSS");
  call();
  return megabytes("VmHWM") - before;
}

}  // namespace

TEST_CASE("how much memory a checkpoint takes: its size to write or to read, two models more to resume") {
  mallopt(M_MMAP_THRESHOLD, 1 << 20);  // what is freed is gone at once
  test::folder const place;
  checkpoint_store store(place / "run");
  torch::nn::Sequential model;
  for (int i = 0; i < 8; ++i) model->push_back(torch::nn::Linear(torch::nn::LinearOptions(1024, 1024).bias(false)));
  constexpr double model_size = 8 * 4.0, little = 0.3;  // MB; models
  optim::SGD sgd(model->parameters(), optim::SGDOptions(0.01));
  auto const made = [&] { return tune(sgd, chosen_with(600), {.model = model.get(), .snapshot_budget = unlimited}); };
  torch_tuner tuner = made();
  double loss = 1.0;
  auto const size = [&] {
    return static_cast<double>(std::filesystem::file_size(place / "run")) / 1048576 / model_size;
  };
  for (int i = 0; i < 200; ++i) tuner.on_step_end(loss *= 0.99);
  double const save = most_taken_by([&] { tuner.save(store); }) / model_size;
  torch_tuner other = made();
  std::optional<checkpoint> kept;
  double const read = most_taken_by([&] { kept = store.read(); }) / model_size;
  double const resume = most_taken_by([&] { other.resume(*kept); }) / model_size;
  INFO(std::format("a file of {:.1f} models takes {:.1f} to save, {:.1f} to read, and {:.1f} more to resume", size(),
                   save, read, resume));
  CHECK(size() > 2.9);
  CHECK(save < size() + little);
  CHECK(read < size() + little);
  CHECK(resume < 2.0 + (size() - 1.0) + little);
}

#endif
