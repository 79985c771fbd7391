#pragma once
#include <coroutine>
#include <utility>

import autotunenet;

namespace support {

/// Suggests the same until it ends, after so many observations.
inline autotunenet::suggestions lasting(autotunenet::configuration start, int observations) {
  using namespace autotunenet;
  struct counter {
    suggestion next;
    int left;
    suggestion const& ask() {
      ++next.number;
      return next;
    }
    void tell(observation const&) {
      if (--left == 0) throw tuning_finished("enough");
    }
    void fields(archive& a) {
      a.section("counter");
      a(next)(left);
    }
  };
  return drive(counter{.next = {.values = std::move(start)}, .left = observations});
}

}  // namespace support
