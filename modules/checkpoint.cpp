module;
#include <algorithm>
#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <format>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "printable.hpp"

module autotunenet;

namespace autotunenet {

namespace {

constexpr std::string_view magic = "autotunenet checkpoint";
constexpr std::uint32_t version = 15;
constexpr std::size_t most_parts = 1024;

constexpr std::array<std::uint64_t, 256> make_table() {
  std::array<std::uint64_t, 256> table{};
  for (std::uint64_t i = 0; i < 256; ++i) {
    std::uint64_t remainder = i << 56;
    for (int bit = 0; bit < 8; ++bit) remainder = (remainder << 1) ^ (remainder >> 63 ? 0x42f0e1eba9ea3693U : 0U);
    table[i] = remainder;
  }
  return table;
}
constexpr auto table = make_table();

std::uint64_t checksum(std::span<std::byte const> bytes) {
  std::uint64_t sum = ~std::uint64_t{0};
  for (std::byte const b : bytes) sum = (sum << 8) ^ table[(sum >> 56) ^ static_cast<std::uint64_t>(b)];
  return sum;
}

/// A name that two of these have; null: none.
std::string const* duplicate_of(auto const& named) {
  std::vector<std::string const*> names;
  for (auto const& one : named) names.push_back(&one.name);
  auto const name = [](std::string const* pointer) -> std::string const& { return *pointer; };
  std::ranges::sort(names, {}, name);
  auto const found = std::ranges::adjacent_find(names, {}, name);
  return found == names.end() ? nullptr : *found;
}

/// What stands before a pipeline: its space.
void fields_of_space(archive& a, suggestions& pipeline) {
  a.section("pipeline");
  suggestion const* const pending = pipeline.poll();
  bool const with_space_here = pending != nullptr && !pending->values.empty();
  bool with_space = with_space_here;
  a(with_space);
  if (with_space && with_space_here) a.same(pending->values.space());
  if (with_space && !with_space_here) archive::refuse("is of a pipeline that goes on; this one has finished");
}

}  // namespace

std::vector<std::byte> save(suggestions& pipeline) {
  archive out;
  fields_of_space(out, pipeline);
  out(pipeline);
  return out.release();
}

void load(suggestions& pipeline, std::span<std::byte const> bytes) {
  archive in(bytes);
  fields_of_space(in, pipeline);
  load<suggestions>(pipeline, bytes.subspan(in.position()));
}

bool checkpoint::contains(std::string_view part) const noexcept {
  for (checkpoint_part const& one : parts_) {
    if (one.name == part) return true;
  }
  return false;
}

std::span<std::byte const> checkpoint::operator[](std::string_view part) const {
  for (checkpoint_part const& one : parts_) {
    if (one.name == part) return one.bytes;
  }
  throw checkpoint_error(std::format("checkpoint {}: has no part \"{}\"", name_, part));
}

// magic, version, header size | per part: name, size, checksum | checksum of all that | the parts
std::vector<std::byte> header_of(std::span<checkpoint_part const> parts) {
  if (parts.size() > most_parts) {
    throw invalid_option(std::format("a checkpoint of {} parts; allowed: at most {}", parts.size(), most_parts));
  }
  if (std::string const* const twice = duplicate_of(parts)) {
    throw invalid_option(std::format("checkpoint part \"{}\": there are two of that name", printable(*twice, 100)));
  }
  archive header;
  std::uint32_t v = version;
  std::uint64_t count = parts.size();
  header.section(magic);
  header(v)(count);
  for (checkpoint_part const& one : parts) {
    std::string name = one.name;
    std::uint64_t size = one.bytes.size();
    std::uint64_t sum = checksum(one.bytes);
    header(name)(size)(sum);
  }
  std::uint64_t sum = checksum(header.bytes());
  header(sum);
  if (header.bytes().size() > largest_header) {
    throw invalid_option(std::format("a checkpoint whose names of parts take {} bytes; allowed: about {} in all",
                                     header.bytes().size(), largest_header));
  }
  return header.release();
}

std::vector<std::byte> encode(std::span<checkpoint_part const> parts) {
  std::vector<std::byte> all = header_of(parts);
  for (checkpoint_part const& one : parts) all.insert(all.end(), one.bytes.begin(), one.bytes.end());
  return all;
}

void checkpoint_header::part::check(std::string_view from, std::span<std::byte const> bytes) const {
  if (bytes.size() < size) {
    throw checkpoint_error(std::format("checkpoint {}: ends in the middle of its part \"{}\": it was cut off", from,
                                       printable(name, 100)));
  }
  if (checksum(bytes) != sum) {
    throw checkpoint_error(std::format("checkpoint {}: its part \"{}\" does not match its checksum: it is damaged",
                                       from, printable(name, 100)));
  }
}

checkpoint_header read_header(std::string_view name, std::span<std::byte const> first, std::uint64_t total) {
  auto const refuse = [&](std::string_view why) {
    throw checkpoint_error(std::format("checkpoint {}: {}", name, why));
  };
  auto const read = [&](auto&& fields) {
    try {
      fields();
    } catch (checkpoint_error const& why) {
      refuse(std::format("is no checkpoint, or damaged at its beginning ({})", why.what()));
    }
  };
  archive in(first);
  std::uint32_t v = 0;
  read([&] {
    in.section(magic);
    in(v);
  });
  if (v != version) refuse(std::format("is of version {}; this library reads version {}", v, version));
  checkpoint_header found;
  std::size_t header = 0;
  std::uint64_t sum = 0;
  read([&] {
    std::size_t count = 0;
    in.below(count, most_parts + 1);
    for (std::size_t i = 0; i < count; ++i) {
      checkpoint_header::part& one = found.parts.emplace_back();
      in(one.name)(one.size)(one.sum);
    }
    header = in.position();
    in(sum);
  });
  if (sum != checksum(first.first(header))) refuse("its header does not match its checksum: it is damaged");
  if (std::string const* const twice = duplicate_of(found.parts))
    refuse(std::format("has two parts \"{}\"", printable(*twice, 100)));
  found.size = in.position();
  std::uint64_t left = total - found.size;
  for (checkpoint_header::part const& one : found.parts) {
    if (one.size > left) {
      refuse(std::format("ends in the middle of its part \"{}\": it was cut off", printable(one.name, 100)));
    }
    left -= one.size;
  }
  if (left != 0) refuse("goes on after its end: it is damaged");
  return found;
}

checkpoint decode(std::string name, std::span<std::byte const> bytes) {
  checkpoint_header header = read_header(name, bytes, bytes.size());
  std::size_t at = header.size;
  std::vector<checkpoint_part> parts;
  for (checkpoint_header::part& one : header.parts) {
    auto const found = bytes.subspan(at, static_cast<std::size_t>(one.size));
    one.check(name, found);
    parts.push_back({std::move(one.name), {found.begin(), found.end()}});
    at += found.size();
  }
  return {std::move(name), std::move(parts)};
}

}  // namespace autotunenet
