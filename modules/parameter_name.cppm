module;
#include <optional>
#include <string>
#include <string_view>

module autotunenet:parameter_name;

import :search_space;

namespace autotunenet {

/// Whether who says `wanted` means the parameter `name`: this one, or as one of those that groups have of their own
/// ("lr" means "encoder.lr" too).
inline bool means(std::string_view wanted, std::string_view name) noexcept {
  if (!name.ends_with(wanted)) return false;
  return name.size() == wanted.size() || name[name.size() - wanted.size() - 1] == '.';
}

/// Where `wanted` means no parameter of the space: how an error message goes on behind that name.
std::optional<std::string> not_among(search_space const& space, std::string_view wanted);

}  // namespace autotunenet
