module;
#include <cstdint>
#include <format>

module autotunenet;

namespace autotunenet {

void refuse_answer(std::uint64_t answered, std::uint64_t pending) {
  throw protocol_error(
      std::format("told an observation of suggestion {}, but suggestion {} is pending", answered, pending));
}

void refuse_unasked() {
  throw protocol_error("told an observation that no suggestion is waiting for: ask first, then tell once");
}

namespace {

[[noreturn]] void refuse_after_end(char const* what, bool moved_from) {
  char const* const why = moved_from ? "was moved from: ask the one it was moved to" : "has finished";
  throw tuning_finished(std::format("{}, but the tuner {}", what, why));
}

}  // namespace

void refuse_ask_after_end(bool moved_from) { refuse_after_end("asked for a suggestion", moved_from); }
void refuse_tell_after_end(bool moved_from) { refuse_after_end("told an observation", moved_from); }

}  // namespace autotunenet
