#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace autotunenet {

/// Text from outside for a person to read: nothing in it that a terminal might obey, and of a bearable length. Control
/// characters, of either set, are shown as \u001B, bytes that are not UTF-8 as \x9B; what is longer than `longest`
/// bytes is cut between two characters, and ends in three dots.
std::string printable(std::string_view text, std::size_t longest = std::string_view::npos);

}  // namespace autotunenet
