#include <cstdio>
#include <filesystem>

import autotunenet;
import autotunenet.journal;

using namespace autotunenet;

int main() {
  std::filesystem::path const file = "consumer.jsonl";
  std::filesystem::remove(file);
  search_space const space{real{"lr", 1e-4, 1e-1, scale::log}};
  {
    journal written(file, space);
    auto tuning = quasi_random(space) | watch(written);
    for (double metric : {1.0, 0.9}) {
      tuning.ask();
      tuning.tell(metric);
    }
  }
  auto const entries = read_journal(file).entries.size();
  std::printf("%zu steps\n", entries);
  return entries == 2 ? 0 : 1;
}
