module;
#include <string_view>

module autotunenet:parameter_name;

namespace autotunenet {

/// Whether who says `wanted` means the parameter `name`: this one, or as one of those that groups have of their own
/// ("lr" means "encoder.lr" too).
inline bool means(std::string_view wanted, std::string_view name) noexcept {
  if (!name.ends_with(wanted)) return false;
  return name.size() == wanted.size() || name[name.size() - wanted.size() - 1] == '.';
}

}  // namespace autotunenet
