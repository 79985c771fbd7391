#include "dataset.hpp"

#include <array>
#include <fstream>
#include <idx.hpp>
#include <iterator>
#include <map>
#include <numeric>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

namespace training {

namespace {

constexpr std::uint64_t partition_seed = 20170825;

split images(idx::array const& pixels, idx::array const& labels, std::span<std::int64_t const> chosen) {
  std::size_t const width = pixels.values.size() / pixels.dimensions[0];
  split part;
  part.count = chosen.size();
  part.width = width;
  part.reals.reserve(part.count * width);
  part.targets.reserve(part.count);
  for (auto const i : chosen) {
    auto const row = static_cast<std::size_t>(i);
    for (std::size_t k = 0; k < width; ++k)
      part.reals.push_back((static_cast<float>(pixels.values[row * width + k]) / 255.0F - pixel_mean) /
                           pixel_deviation);
    part.targets.push_back(labels.values[row]);
  }
  return part;
}

void add_windows(split& part, std::span<std::int64_t const> text, std::size_t length) {
  part.width = length;
  for (std::size_t from = 0; from + length + 1 <= text.size(); from += length) {
    part.tokens.insert(part.tokens.end(), text.begin() + static_cast<std::ptrdiff_t>(from),
                       text.begin() + static_cast<std::ptrdiff_t>(from + length));
    part.targets.insert(part.targets.end(), text.begin() + static_cast<std::ptrdiff_t>(from + 1),
                        text.begin() + static_cast<std::ptrdiff_t>(from + length + 1));
    ++part.count;
  }
}

}  // namespace

std::vector<std::int64_t> permutation(std::size_t count, std::uint64_t seed) {
  std::vector<std::int64_t> order(count);
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::mt19937_64 engine(seed);
  for (std::size_t i = count; i > 1; --i) std::swap(order[i - 1], order[engine() % i]);
  return order;
}

dataset fashion_mnist(std::filesystem::path const& folder) {
  auto const train_pixels = idx::read(folder / "train-images-idx3-ubyte.gz", 3);
  auto const train_labels = idx::read(folder / "train-labels-idx1-ubyte.gz", 1);
  auto const test_pixels = idx::read(folder / "t10k-images-idx3-ubyte.gz", 3);
  auto const test_labels = idx::read(folder / "t10k-labels-idx1-ubyte.gz", 1);
  constexpr std::size_t train_count = 12000, validation_count = 2000, test_count = 5000;
  if (train_pixels.dimensions[0] != train_labels.dimensions[0] ||
      train_pixels.dimensions[0] < train_count + validation_count ||
      test_pixels.dimensions[0] != test_labels.dimensions[0] || test_pixels.dimensions[0] < test_count)
    throw std::runtime_error("The files in " + folder.string() + " hold too few images, or not one label for each.");

  auto const order = permutation(train_pixels.dimensions[0], partition_seed);
  std::vector<std::int64_t> first(test_count);
  std::iota(first.begin(), first.end(), std::int64_t{0});
  std::span<std::int64_t const> const all = order;
  return {.train = images(train_pixels, train_labels, all.first(train_count)),
          .validation = images(train_pixels, train_labels, all.subspan(train_count, validation_count)),
          .test = images(test_pixels, test_labels, first),
          .classes = 10};
}

dataset characters(std::filesystem::path const& folder, std::size_t length) {
  constexpr std::array files{"Apache-2.0", "Artistic", "GFDL-1.2", "GPL-2", "GPL-3", "LGPL-2.1", "MPL-1.1"};
  std::map<char, std::int64_t> token;
  dataset all;
  for (char const* name : files) {
    std::ifstream in(folder / name, std::ios::binary);
    std::string const text{std::istreambuf_iterator<char>(in), {}};
    if (text.size() < 1000) throw std::runtime_error("There is no text in " + (folder / name).string() + ".");
    std::vector<std::int64_t> tokens;
    tokens.reserve(text.size());
    for (char const c : text)
      tokens.push_back(token.try_emplace(c, static_cast<std::int64_t>(token.size())).first->second);
    std::span<std::int64_t const> const read = tokens;
    std::size_t const tenth = read.size() / 10;
    add_windows(all.train, read.first(read.size() - 2 * tenth), length);
    add_windows(all.validation, read.subspan(read.size() - 2 * tenth, tenth), length);
    add_windows(all.test, read.last(tenth), length);
  }
  all.classes = static_cast<std::int64_t>(token.size());
  return all;
}

}  // namespace training
