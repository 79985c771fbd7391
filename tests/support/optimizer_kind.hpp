#pragma once
#include <ATen/core/Tensor.h>
#include <torch/optim/optimizer.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace support {

using parameters = std::vector<at::Tensor>;

/// An optimizer with its options, by name, to be made for any parameters.
struct kind {
  std::string name;
  std::function<std::unique_ptr<torch::optim::Optimizer>(parameters)> make;
};

template <class Optimizer, class Options>
kind one(std::string name, Options options) {
  return {std::move(name), [options](parameters p) { return std::make_unique<Optimizer>(std::move(p), options); }};
}

}  // namespace support
