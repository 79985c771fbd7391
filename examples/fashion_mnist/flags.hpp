#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace fashion {

/// What the command line may say.
struct flags {
  std::filesystem::path data = "/usr/share/datasets/fashion-mnist";
  std::vector<double> start_rates = {1e-5, 1e-1};
  std::string optimizer = "adam";
  std::size_t epochs = 20;
  std::size_t images = 12'000;
  std::size_t batch = 64;
  std::uint64_t seed = 1;
  std::filesystem::path settings;
  std::filesystem::path journal = AUTOTUNENET_RESULTS;
  std::filesystem::path earlier;     ///< journal to begin with; empty: none
  std::filesystem::path checkpoint;  ///< folder; empty: none are kept
  std::size_t checkpoint_every = 0;
  bool resume = false;
  bool resume_previous = false;
  int threads = 1;
};

/// Reads the command line. Where that is all there is to do (`--help`, an error), says what is to be said and
/// ends the program, with 2 for an error.
flags read_flags(int count, char** words);

}  // namespace fashion
