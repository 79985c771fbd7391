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

void refuse_ask_after_end() { throw tuning_finished("asked for a suggestion, but the tuner has finished"); }
void refuse_tell_after_end() { throw tuning_finished("told an observation, but the tuner has finished"); }

}  // namespace autotunenet
