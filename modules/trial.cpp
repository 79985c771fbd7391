module;
#include <string_view>

module autotunenet;

namespace autotunenet {

std::string_view to_string(reason why) noexcept {
  switch (why) {
    case reason::start:
      return "start";
    case reason::warm_up:
      return "warm-up";
    case reason::range_test:
      return "range test";
    case reason::explore:
      return "explore";
    case reason::exploit:
      return "exploit";
    case reason::anneal:
      return "anneal";
    case reason::hold:
      return "hold";
    case reason::rollback:
      return "rollback";
    case reason::cooldown:
      return "cooldown";
    case reason::back_off:
      return "back off";
  }
  return "unknown";
}

}  // namespace autotunenet
