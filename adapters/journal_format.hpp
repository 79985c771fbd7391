#pragma once
#include <cstddef>
#include <string_view>

// What writer and reader agree on.
namespace autotunenet::journal_format {

inline constexpr std::string_view name = "autotunenet journal";
inline constexpr int version = 1;
/// Parameters of a space, choices of a parameter: search spaces compare each with all others.
inline constexpr std::size_t most_listed = 4096;

}  // namespace autotunenet::journal_format
