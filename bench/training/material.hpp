#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "dataset.hpp"

namespace training {

struct part {
  at::Tensor inputs{}, targets{};
};

/// What a run trains on before or after a shift. Tensors refer to the data set, which must outlive them.
struct material {
  part train{}, validation{}, test{};
  std::vector<std::int64_t> rows{};  ///< of the training part that are in use
  double dropout = 0.0;
  double weight_decay = 0.0;
  double loss_noise = 0.0;
  double gradient_noise = 0.0;
};

material material_before(std::string_view regime, dataset const& data);
material material_after(std::string_view regime, dataset const& data, std::uint64_t seed);

}  // namespace training
