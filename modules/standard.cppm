module;
#include <algorithm>
#include <array>
#include <bit>
#include <compare>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <memory>
#include <memory_resource>
#include <new>
#include <optional>
#include <span>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

/// The standard library as far as the interfaces of this project need it, in the manner of `import std`, which not
/// every standard library has yet. Every other interface imports this module where it would include headers: what
/// headers declare then lies in one compiled interface instead of in each. No interface exports it further, so who
/// imports `autotunenet` gets no names of `std` with it.
export module autotunenet.standard;

export namespace std {

using std::array;
using std::byte;
using std::function;
using std::initializer_list;
using std::int64_t;
using std::numeric_limits;
using std::optional;
using std::pair;
using std::ptrdiff_t;
using std::runtime_error;
using std::shared_ptr;
using std::size_t;
using std::span;
using std::string;
using std::string_view;
using std::uint16_t;
using std::uint32_t;
using std::uint64_t;
using std::uint8_t;
using std::unique_ptr;
using std::variant;
using std::vector;

using std::clamp;
using std::cmp_less;
using std::exchange;
using std::forward;
using std::max;
using std::memcpy;
using std::min;
using std::move;

using std::copyable;
using std::derived_from;
using std::endian;
using std::integral;
using std::invocable;
using std::invoke_result_t;
using std::is_arithmetic_v;
using std::is_convertible_v;
using std::is_enum_v;
using std::is_reference_v;
using std::remove_cvref_t;
using std::same_as;

using std::coroutine_handle;
using std::coroutine_traits;
using std::default_sentinel_t;
using std::noop_coroutine;
using std::stop_token;
using std::suspend_always;

using std::current_exception;
using std::exception_ptr;
using std::rethrow_exception;

namespace filesystem {
using std::filesystem::path;
}

namespace pmr {
using std::pmr::get_default_resource;
using std::pmr::memory_resource;
}  // namespace pmr

namespace ranges {
using std::ranges::fill;
}

}  // namespace std

#ifdef __GLIBCXX__
// What a range-for compares libstdc++'s iterators with.
export namespace __gnu_cxx {

using __gnu_cxx::operator==;

}  // namespace __gnu_cxx
#endif
