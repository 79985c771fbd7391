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

/// What the learning rate is called where nothing else is said. A space may well have none.
inline constexpr std::string_view usual_rate = "lr";

/// How an error message goes on behind a name that the space does not have.
std::string unknown_name(search_space const& space, std::string_view wanted);

/// The same, where `wanted` means no parameter of the space.
std::optional<std::string> not_among(search_space const& space, std::string_view wanted);

/// Throws `invalid_option`, in the stage's name, where `wanted`, given as `key`, means no parameter of the space;
/// `usual_rate` need not.
void check_name(search_space const& space, std::string_view wanted, std::string_view stage, std::string_view key);

}  // namespace autotunenet
