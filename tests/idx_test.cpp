#include "../examples/support/idx.hpp"

#include <zlib.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <string>
#include <vector>

#include "support/folder.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;
using bytes = std::vector<std::uint8_t>;

bytes header(std::initializer_list<std::uint32_t> dimensions, std::uint8_t type = 8) {
  bytes all{0, 0, type, static_cast<std::uint8_t>(dimensions.size())};
  for (std::uint32_t const n : dimensions) {
    for (int const shift : {24, 16, 8, 0}) all.push_back(static_cast<std::uint8_t>(n >> shift));
  }
  return all;
}

bytes operator+(bytes left, bytes const& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

std::filesystem::path plain(std::filesystem::path const& file, bytes const& content) {
  std::ofstream(file, std::ios::binary).write(reinterpret_cast<char const*>(content.data()), std::ssize(content));
  return file;
}

std::filesystem::path compressed(std::filesystem::path const& file, bytes const& content) {
  gzFile const to = gzopen(file.c_str(), "wb");
  gzwrite(to, content.data(), static_cast<unsigned>(content.size()));
  gzclose(to);
  return file;
}

auto says(std::string const& part) { return MessageMatches(ContainsSubstring(part)); }

}  // namespace

TEST_CASE("an idx file is read, plain or compressed") {
  test::folder const at;
  bytes const content = header({2, 3}) + bytes{1, 2, 3, 4, 5, 255};
  for (auto const& file : {plain(at / "plain", content), compressed(at / "small.gz", content)}) {
    idx::array const read = idx::read(file, 2);
    CHECK(read.dimensions == std::vector<std::uint32_t>{2, 3});
    CHECK(read.values == bytes{1, 2, 3, 4, 5, 255});
  }
}

TEST_CASE("an idx file larger than one portion is read whole") {
  test::folder const at;
  bytes values(3'000'000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
  CHECK(idx::read(compressed(at / "large.gz", header({3'000'000}) + values), 1).values == values);
}

TEST_CASE("every truncation of an idx file is an error that names the file") {
  test::folder const at;
  bytes const content = header({2, 3}) + bytes{1, 2, 3, 4, 5, 6};
  for (std::size_t length = 0; length < content.size(); ++length) {
    bytes const part(content.begin(), content.begin() + static_cast<std::ptrdiff_t>(length));
    CHECK_THROWS_MATCHES(idx::read(plain(at / "cut-off", part), 2), idx::error, says("cut-off"));
    CHECK_THROWS_MATCHES(idx::read(compressed(at / "cut-off.gz", part), 2), idx::error, says("cut-off.gz"));
  }
  CHECK_THROWS_MATCHES(idx::read(at / "cut-off", 2), idx::error,
                       says("ends after 5 values; its header promises 6 (2 x 3)"));
}

TEST_CASE("every truncation of a compressed file is an error, the checksum at its end included") {
  test::folder const at;
  bytes values(600);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint8_t>(i * i);
  auto const whole = compressed(at / "whole.gz", header({600}) + values);
  for (auto length = std::filesystem::file_size(whole); length-- > 0;) {
    std::filesystem::copy_file(whole, at / "part.gz", std::filesystem::copy_options::overwrite_existing);
    std::filesystem::resize_file(at / "part.gz", length);
    CHECK_THROWS_AS(idx::read(at / "part.gz", 1), idx::error);
  }
}

TEST_CASE("damaged compression is an error") {
  test::folder const at;
  auto const file = compressed(at / "damaged.gz", header({64}) + bytes(64, 9));
  std::fstream change(file, std::ios::binary | std::ios::in | std::ios::out);
  change.seekp(-6, std::ios::end);
  change.put('\x5a');
  change.close();
  CHECK_THROWS_MATCHES(idx::read(file, 1), idx::error, says("damaged"));
}

TEST_CASE("a foreign file is refused by what it begins with") {
  test::folder const at;
  std::string const png = "\x89PNG\r\n\x1a\n and so on";
  CHECK_THROWS_MATCHES(idx::read(plain(at / "image", bytes(png.begin(), png.end())), 1), idx::error,
                       says("begins with bytes 89 50 4e 47"));
  CHECK_THROWS_MATCHES(idx::read(plain(at / "floats", header({1}, 0x0d) + bytes(4)), 1), idx::error, says("type 0x0d"));
  CHECK_THROWS_MATCHES(idx::read(plain(at / "labels", header({5}) + bytes(5)), 3), idx::error,
                       says("has 1 dimensions; expected 3"));
  CHECK_THROWS_MATCHES(idx::read(plain(at / "many", bytes{0, 0, 8, 255} + bytes(40)), 3), idx::error,
                       says("has 255 dimensions"));
}

TEST_CASE("a header that promises too much is refused before memory is taken") {
  test::folder const at;
  std::uint32_t const huge = 0xffffffff;
  CHECK_THROWS_MATCHES(idx::read(plain(at / "huge", header({huge, huge, huge})), 3), idx::error,
                       says("at most 268435456"));
  // 2^16 * 2^16 * 2^16 * 2^16 wraps to 0 in 64 bits.
  CHECK_THROWS_MATCHES(idx::read(plain(at / "wrap", header({65536, 65536, 65536, 65536})), 4), idx::error,
                       says("65536 x 65536"));
  CHECK_THROWS_MATCHES(idx::read(plain(at / "empty", header({7, 0})), 2), idx::error, says("dimension 2 is empty"));
}

TEST_CASE("data after the end of an idx file is an error") {
  test::folder const at;
  CHECK_THROWS_MATCHES(idx::read(plain(at / "long", header({3}) + bytes(4)), 1), idx::error,
                       says("goes on after the 3 values"));
  CHECK_THROWS_MATCHES(idx::read(compressed(at / "long.gz", header({3}) + bytes(4)), 1), idx::error,
                       says("goes on after"));
}

TEST_CASE("what is not a file is refused") {
  test::folder const at;
  CHECK_THROWS_MATCHES(idx::read(at / "nothing", 1), idx::error, says("there is no such file"));
  CHECK_THROWS_MATCHES(idx::read(at / ".", 1), idx::error, says("this is not a file"));
}
