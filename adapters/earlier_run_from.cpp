module;
#include <charconv>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

module autotunenet.journal;

namespace autotunenet {

namespace {

std::optional<std::size_t> whole_number(std::string_view text) {
  std::size_t value = 0;
  char const* const end = text.data() + text.size();
  auto const [stopped, error] = std::from_chars(text.data(), end, value);
  return error == std::errc{} && stopped == end ? std::optional{value} : std::nullopt;
}

}  // namespace

earlier_run earlier_run_from(journal_contents const& journal) {
  earlier_run made{.space = journal.header.space};
  for (auto const& [name, value] : journal.header.metadata) {
    if (name == "horizon") made.horizon = whole_number(value).value_or(0);
  }
  std::vector<journal_entry const*> last;
  for (journal_entry const& entry : journal.entries) {
    while (!last.empty() && last.back()->number >= entry.number) last.pop_back();
    last.push_back(&entry);
  }
  for (journal_entry const* entry : last) {
    std::span<double const> const ran = entry->applied.empty() ? entry->suggested.values() : entry->applied;
    made.steps.push_back({.applied = {ran.begin(), ran.end()},
                          .metric = entry->metric,
                          .result = entry->result,
                          .noise = entry->noise,
                          .steps = entry->steps,
                          .covers = entry->covers,
                          .why = entry->why,
                          .events = entry->events,
                          .validation = entry->validation});
  }
  return made;
}

}  // namespace autotunenet
