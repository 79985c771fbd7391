// Writes the inputs that fuzzing checkpoints and pipelines begins with. They follow from the code: a pipeline's bytes
// change with what it knows.

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "pipelines.hpp"

namespace {

void write(std::filesystem::path const& file, std::vector<std::byte> const& bytes) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary).write(reinterpret_cast<char const*>(bytes.data()), std::ssize(bytes));
}

}  // namespace

int main(int count, char** words) {
  if (count != 2) {
    std::fprintf(stderr, "usage: fuzz_seeds folder\n");
    return 2;
  }
  std::filesystem::path const folder = words[1];
  for (std::uint8_t which = 0; which < fuzz::pipeline_kinds; ++which) {
    for (int const steps : {0, 3, 10, 60, 200}) {
      suggestions tuner = fuzz::pipeline(which);
      fuzz::steps(tuner, steps);
      std::vector<std::byte> const saved = save(tuner);
      std::string const name = std::to_string(which) + "-" + std::to_string(steps);
      std::vector<std::byte> input{static_cast<std::byte>(which)};
      input.insert(input.end(), saved.begin(), saved.end());
      write(folder / "pipeline" / name, input);
      if (steps == 3)
        write(folder / "checkpoint" / name, encode(std::vector<checkpoint_part>{{"pipeline", saved}, {"loop", {}}}));
    }
  }
  write(folder / "checkpoint" / "empty", encode({}));
}
