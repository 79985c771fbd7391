module;
#include <cstddef>

module autotunenet:pace;

import :guard;

namespace autotunenet {

/// The counts that a guard goes by.
struct pace {
  std::size_t window;
  std::size_t patience;
  std::size_t cooldown;
  std::size_t snapshot_every;
};

pace pace_of(guard_options const& given, bool by_epochs) noexcept;

}  // namespace autotunenet
