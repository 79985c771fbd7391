#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <vector>

/// The idx format of the MNIST family (LeCun, Cortes and Burges, "The MNIST database", file formats): a magic number,
/// the dimensions as big-endian 32-bit counts, then the values, here unsigned bytes. Plain or compressed by gzip.
namespace idx {

/// A file that cannot be read or is not what it should be. The message names the file, what was found and what was
/// expected.
struct error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct array {
  std::vector<std::uint32_t> dimensions;  ///< outermost first; none is 0
  std::vector<std::uint8_t> values;       ///< as many as the product of the dimensions
};

/// Reads a whole file, and checks that it holds exactly what its header promises. Memory grows with what the file
/// really holds, whatever its header says. Throws `error`: no such file, not idx, another value type, a number of
/// dimensions other than the expected one, an empty dimension, more than `most` values, a file that ends early, damaged
/// compression, or data after the end.
array read(std::filesystem::path const& file, std::size_t dimensions, std::size_t most = std::size_t{1} << 28);

}  // namespace idx
