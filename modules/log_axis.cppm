module autotunenet:log_axis;

import autotunenet.standard;
import :search_space;

namespace autotunenet {

/// Where a space has the parameter whose values a stage tries; nothing where it has none of this name. Throws
/// `invalid_option`, in the stage's name, where it is not real and on a log scale.
std::optional<std::size_t> log_axis(search_space const& space, std::string const& parameter, std::string_view stage);

}  // namespace autotunenet
