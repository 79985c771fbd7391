#pragma once

import autotunenet;

namespace support {

/// A parameter of each kind and scale.
inline autotunenet::search_space mixed_space() {
  using namespace autotunenet;
  return {real{"lr", 1e-6, 1.0, scale::log}, real{"momentum", 0.0, 0.99}, integer{"batch", 8, 256, scale::log},
          categorical{"schedule", {"a", "b", "c"}}};
}

}  // namespace support
