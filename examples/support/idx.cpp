#include "idx.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <format>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace idx {
namespace {

constexpr std::size_t dimensions_at_most = 4;
constexpr std::size_t portion = std::size_t{1} << 20;

struct closing {
  void operator()(gzFile file) const noexcept { gzclose(file); }
};

/// Plain bytes of a plain or compressed file.
class source {
 public:
  explicit source(std::filesystem::path const& path) : path_(path) {
    std::error_code unreadable;
    auto const status = std::filesystem::status(path, unreadable);
    if (!std::filesystem::exists(status)) fail("there is no such file");
    if (!std::filesystem::is_regular_file(status)) fail("this is not a file");
    file_.reset(gzopen(path.c_str(), "rb"));
    if (!file_) fail(std::format("cannot be opened: {}", std::strerror(errno)));
    gzbuffer(file_.get(), 1u << 17);
  }

  [[noreturn]] void fail(std::string_view what) const { throw error(std::format("{}: {}", path_.string(), what)); }

  /// As many bytes as there are, up to the size of `into`.
  std::size_t read(std::span<std::uint8_t> into) {
    std::size_t done = 0;
    while (done < into.size()) {
      auto const ask = static_cast<unsigned>(std::min(into.size() - done, portion));
      int const got = gzread(file_.get(), into.data() + done, ask);
      if (got < 0) fail_reading();
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

  /// A compressed file that was cut off reads as a short one, and says so only when asked.
  void check_compression() {
    int code = Z_OK;
    gzerror(file_.get(), &code);
    if (code != Z_OK && code != Z_STREAM_END) fail_reading();
  }

 private:
  [[noreturn]] void fail_reading() {
    int code = Z_OK;
    std::string const text = gzerror(file_.get(), &code);
    if (code == Z_ERRNO) fail(std::format("cannot be read: {}", std::strerror(errno)));
    if (code == Z_BUF_ERROR) fail("the compressed data ends early; is the file complete?");
    fail(std::format("the compressed data is damaged ({})", text));
  }

  std::filesystem::path path_;
  std::unique_ptr<std::remove_pointer_t<gzFile>, closing> file_;
};

std::string product(std::span<std::uint32_t const> dimensions) {
  std::string text;
  for (std::uint32_t const n : dimensions) text += std::format("{}{}", text.empty() ? "" : " x ", n);
  return text;
}

}  // namespace

array read(std::filesystem::path const& file, std::size_t dimensions, std::size_t most) {
  source from(file);
  std::array<std::uint8_t, 4 + 4 * dimensions_at_most> head{};
  dimensions = std::min(dimensions, dimensions_at_most);

  std::size_t const magic = from.read(std::span(head).first(4));
  if (magic < 4) {
    from.check_compression();
    from.fail(std::format("holds {} bytes; an idx file begins with a magic number of 4", magic));
  }
  if (head[0] != 0 || head[1] != 0) {
    from.fail(
        std::format("begins with bytes {:02x} {:02x} {:02x} {:02x}; an idx file of unsigned bytes begins with 00 00 08",
                    head[0], head[1], head[2], head[3]));
  }
  if (head[2] != 0x08) from.fail(std::format("holds values of type {:#04x}; expected unsigned bytes (0x08)", head[2]));
  if (head[3] != dimensions) from.fail(std::format("has {} dimensions; expected {}", head[3], dimensions));

  if (from.read(std::span(head).subspan(4, 4 * dimensions)) < 4 * dimensions) {
    from.check_compression();
    from.fail(std::format("ends within its header of {} dimensions", dimensions));
  }
  array result;
  std::size_t promised = 1;
  for (std::size_t i = 0; i < dimensions; ++i) {
    std::uint8_t const* at = &head[4 + 4 * i];
    std::uint32_t const n = std::uint32_t{at[0]} << 24 | std::uint32_t{at[1]} << 16 | std::uint32_t{at[2]} << 8 | at[3];
    result.dimensions.push_back(n);
    if (n == 0) from.fail(std::format("its dimension {} is empty", i + 1));
    promised = promised > most / n ? most + 1 : promised * n;
  }
  std::string const shape = product(result.dimensions);
  if (promised > most) from.fail(std::format("its header promises {} values; at most {} are accepted", shape, most));

  std::size_t got = 0;
  while (got < promised) {
    std::size_t const next = std::min(promised - got, portion);
    result.values.resize(got + next);
    std::size_t const more = from.read(std::span(result.values).subspan(got, next));
    got += more;
    if (more < next) {
      from.check_compression();
      from.fail(std::format("ends after {} values; its header promises {} ({})", got, promised, shape));
    }
  }
  std::uint8_t beyond = 0;
  if (from.read({&beyond, 1}) != 0)
    from.fail(std::format("goes on after the {} values that its header promises ({})", promised, shape));
  from.check_compression();
  return result;
}

}  // namespace idx
