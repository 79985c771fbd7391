#pragma once
#include <string_view>

// The names that writer and reader share.
namespace autotunenet::journal_format {

inline constexpr std::string_view name = "autotunenet journal";
inline constexpr int version = 1;

}  // namespace autotunenet::journal_format
