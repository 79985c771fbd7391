#include "data.hpp"

#include <algorithm>
#include <format>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <utility>

#include "idx.hpp"

namespace fashion {
namespace {

std::filesystem::path either(std::filesystem::path const& folder, std::string const& name) {
  auto const compressed = folder / (name + ".gz");
  return std::filesystem::exists(compressed) || !std::filesystem::exists(folder / name) ? compressed : folder / name;
}

labelled_images read(std::filesystem::path const& folder, std::string const& name) {
  auto const image_file = either(folder, name + "-images-idx3-ubyte"),
             label_file = either(folder, name + "-labels-idx1-ubyte");
  idx::array images = idx::read(image_file, 3), labels = idx::read(label_file, 1);
  if (images.dimensions[1] != side || images.dimensions[2] != side) {
    throw idx::error(std::format("{}: holds images of {} x {} pixels; expected {} x {}", image_file.string(),
                                 images.dimensions[1], images.dimensions[2], side, side));
  }
  if (labels.dimensions[0] != images.dimensions[0]) {
    throw idx::error(std::format("{}: holds {} labels; expected {}, one for each image of {}", label_file.string(),
                                 labels.dimensions[0], images.dimensions[0], image_file.string()));
  }
  auto const beyond = std::ranges::find_if(labels.values, [](auto label) { return label >= classes; });
  if (beyond != labels.values.end()) {
    throw idx::error(std::format("{}: label {} is {}; expected 0 to {}", label_file.string(),
                                 beyond - labels.values.begin(), *beyond, classes - 1));
  }
  return {std::move(images.values), std::move(labels.values)};
}

labelled_images pick(labelled_images const& from, std::span<std::size_t const> which) {
  labelled_images picked;
  for (std::size_t const i : which) {
    auto const begin = from.pixels.begin() + static_cast<std::ptrdiff_t>(i * side * side);
    picked.pixels.insert(picked.pixels.end(), begin, begin + side * side);
    picked.labels.push_back(from.labels[i]);
  }
  return picked;
}

}  // namespace

split load(std::filesystem::path const& folder, std::uint64_t seed, std::size_t training, std::size_t validation,
           std::size_t test) {
  if (!std::filesystem::exists(folder)) {
    throw idx::error(
        std::format("{}: there is no such folder; --data names the one that holds Fashion-MNIST's four idx files",
                    folder.string()));
  }
  labelled_images const first = read(folder, "train"), second = read(folder, "t10k");
  if (first.size() < training + validation || second.size() < test) {
    throw idx::error(std::format("{}: holds {} + {} images; expected at least {} + {}", folder.string(), first.size(),
                                 second.size(), training + validation, test));
  }
  std::vector<std::size_t> order(std::max(first.size(), second.size()));
  std::iota(order.begin(), order.end(), std::size_t{0});
  auto const in_sequence = std::vector(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(test));
  std::mt19937_64 engine(seed);
  std::shuffle(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(first.size()), engine);
  std::span<std::size_t const> const shuffled = order;
  return {pick(first, shuffled.first(training)), pick(first, shuffled.subspan(training, validation)),
          pick(second, in_sequence)};
}

}  // namespace fashion
