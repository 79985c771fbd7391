module;
#include <cstdint>
#include <format>

module autotunenet;

namespace autotunenet {

void refuse_answer(std::uint64_t answered, std::uint64_t pending) {
  throw protocol_error(
      std::format("told an observation of suggestion {}, but suggestion {} is pending", answered, pending));
}

}  // namespace autotunenet
