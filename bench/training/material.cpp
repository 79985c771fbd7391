#include "material.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <numeric>
#include <random>
#include <utility>

namespace training {

namespace {

constexpr std::int64_t easy_classes = 5;

template <class Value>
at::Tensor view_of(std::vector<Value> const& values, std::vector<std::int64_t> const& sizes, at::ScalarType type) {
  // from_blob takes no pointer to const; nothing writes to a batch's source.
  return at::from_blob(const_cast<Value*>(values.data()), sizes, at::TensorOptions().dtype(type));
}

part tensors(split const& from) {
  auto const count = static_cast<std::int64_t>(from.count), width = static_cast<std::int64_t>(from.width);
  if (from.tokens.empty())
    return {view_of(from.reals, {count, width}, at::kFloat), view_of(from.targets, {count}, at::kLong)};
  return {view_of(from.tokens, {count, width}, at::kLong), view_of(from.targets, {count, width}, at::kLong)};
}

part easy(part const& from) {
  auto const rows = at::nonzero(from.targets < easy_classes).squeeze(1);
  return {from.inputs.index_select(0, rows), from.targets.index_select(0, rows)};
}

material plain(dataset const& data) {
  material all{.train = tensors(data.train), .validation = tensors(data.validation), .test = tensors(data.test)};
  all.rows.resize(data.train.count);
  std::iota(all.rows.begin(), all.rows.end(), std::int64_t{0});
  return all;
}

void randomise_labels(at::Tensor& labels, std::int64_t classes, double fraction, std::uint64_t seed) {
  labels = labels.clone();
  auto* const label = labels.mutable_data_ptr<std::int64_t>();
  std::mt19937_64 engine(seed + 99);
  for (std::int64_t i = 0; i < labels.numel(); ++i)
    if (static_cast<double>(engine() >> 11) * 0x1p-53 < fraction)
      label[i] = static_cast<std::int64_t>(engine() % static_cast<std::uint64_t>(classes));
}

}  // namespace

material material_before(std::string_view regime, dataset const& data) {
  material all = plain(data);
  if (regime == "curriculum") {
    std::erase_if(all.rows,
                  [&](std::int64_t row) { return data.train.targets[static_cast<std::size_t>(row)] >= easy_classes; });
    all.validation = easy(all.validation);
    all.test = easy(all.test);
  }
  return all;
}

material material_after(std::string_view regime, dataset const& data, std::uint64_t seed) {
  material all = plain(data);
  if (regime == "label_noise") randomise_labels(all.train.targets, data.classes, 0.4, seed);
  if (regime == "data_shift")
    for (part* p : {&all.train, &all.validation, &all.test})
      p->inputs = (1.0 - 2.0 * pixel_mean) / pixel_deviation - p->inputs;
  if (regime == "regularisation") {
    all.dropout = 0.5;
    all.weight_decay = 1e-3;
  }
  if (regime == "loss_noise") all.loss_noise = 1.0;
  if (regime == "gradient_noise") all.gradient_noise = 0.01;
  return all;
}

}  // namespace training
