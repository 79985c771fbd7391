export module autotunenet:spelling;

import autotunenet.standard;

export namespace autotunenet {

/// Ends an error message about an unknown name: the nearest known name by edit distance, if near enough for a typo,
/// else the list of what is known.
std::string did_you_mean(std::string_view given, std::span<std::string_view const> known);

}  // namespace autotunenet
