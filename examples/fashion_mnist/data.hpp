#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

namespace fashion {

inline constexpr std::size_t side = 28, classes = 10;

struct labelled_images {
  std::vector<std::uint8_t> pixels;  ///< image by image, row by row
  std::vector<std::uint8_t> labels;  ///< below `classes`
  std::size_t size() const noexcept { return labels.size(); }
};

struct split {
  labelled_images training, validation, test;
};

/// Reads Fashion-MNIST (Xiao, Rasul and Vollgraf 2017) from a folder of its four idx files, compressed or not. Training
/// and validation images are drawn from the 60,000 by a permutation that belongs to the seed; the test images are the
/// first of the 10,000. Throws `idx::error` where a file is missing or wrong, or holds too few images.
split load(std::filesystem::path const& folder, std::uint64_t seed, std::size_t training = 12'000,
           std::size_t validation = 2'000, std::size_t test = 5'000);

}  // namespace fashion
