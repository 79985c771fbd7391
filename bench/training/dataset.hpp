#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

namespace training {

/// Examples of one part of a data set, row by row. Images have `reals`, text has `tokens`; one target per
/// image, one per character of text.
struct split {
  std::vector<float> reals;
  std::vector<std::int64_t> tokens;
  std::vector<std::int64_t> targets;
  std::size_t count = 0;
  std::size_t width = 0;  ///< values per example
};

constexpr float pixel_mean = 0.2860F, pixel_deviation = 0.3530F;

struct dataset {
  split train{};
  split validation{};
  split test{};
  std::int64_t classes = 0;
};

/// Fashion-MNIST (Xiao, Rasul and Vollgraf 2017): 12,000 training and 2,000 validation images by a permutation of the
/// training file that never changes, and the first 5,000 of the test file. Pixels in [0, 1] are standardised by the
/// mean and the deviation that are usual for this data set. Throws `idx::error`.
dataset fashion_mnist(std::filesystem::path const& folder);

/// English prose that every Debian system has (the licence texts of base-files), in windows of `length` characters to
/// be continued by one; each file's last tenth is for the test, the tenth before it for validation. Throws
/// std::runtime_error.
dataset characters(std::filesystem::path const& folder, std::size_t length = 32);

/// A permutation of 0 .. count - 1 that depends on the seed alone (Fisher and Yates).
std::vector<std::int64_t> permutation(std::size_t count, std::uint64_t seed);

}  // namespace training
