#include "line_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <format>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

import autotunenet;

namespace autotunenet {

line_file::line_file(std::filesystem::path const& file, bool append) : name_(file.string()) {
  constexpr int how = O_RDWR | O_CREAT | O_APPEND;
  descriptor_ = descriptor(file, how | O_EXCL);
  made_ = static_cast<bool>(descriptor_);
  if (!made_ && errno == EEXIST) {
    std::error_code ignored;
    if (std::filesystem::is_directory(file, ignored))
      throw invalid_option(std::format("journal {}: is a folder; name a file in it", name_));
    if (!append) {
      throw invalid_option(
          std::format("journal {}: exists; set append to go on with it, or choose another name", name_));
    }
    descriptor_ = descriptor(file, how);
  }
  if (!descriptor_) fail("cannot be opened", errno);
  try {
    begin();
  } catch (...) {
    undo_making();
    throw;
  }
}

void line_file::begin() {
  int const why = lock_for_writing(descriptor_.number());
  if (why == EWOULDBLOCK) {
    made_ = false;  // whoever was quicker has it
    throw error(std::format(
        "journal {}: another journal, of this process or another one, is writing it; give each run a file of its own",
        name_));
  }
  if (why != 0) fail("cannot be locked", why);
  struct stat status = {};
  if (::fstat(descriptor_.number(), &status) != 0) fail("cannot be examined", errno);
  if (S_ISREG(status.st_mode)) whole_ = status.st_size;
}

void line_file::undo_making() noexcept {
  if (made_) ::unlink(name_.c_str());
}

void line_file::fail(std::string_view what, int why) const {
  throw error(std::format("journal {}: {}: {}", name_, what, std::strerror(why)));
}

std::string line_file::beginning(std::size_t bytes) const {
  std::string text(std::min(bytes, static_cast<std::size_t>(whole_)), '\0');
  ssize_t const got = ::pread(descriptor_.number(), text.data(), text.size(), 0);
  if (got != static_cast<ssize_t>(text.size())) fail("cannot be read", got < 0 ? errno : EIO);
  return text;
}

void line_file::drop_torn_line() {
  off_t const end = end_of_lines();
  if (end < whole_ && ::ftruncate(descriptor_.number(), end) != 0) fail("cannot be shortened", errno);
  whole_ = end;
}

off_t line_file::end_of_lines() const {
  std::vector<char> block(65536);
  for (off_t size = whole_; size > 0;) {
    auto const length = std::min<off_t>(size, static_cast<off_t>(block.size()));
    ssize_t const got = ::pread(descriptor_.number(), block.data(), static_cast<std::size_t>(length), size - length);
    if (got != length) fail("cannot be read", got < 0 ? errno : EIO);
    for (off_t at = length; at > 0; --at) {
      if (block[static_cast<std::size_t>(at - 1)] == '\n') return size - length + at;
    }
    size -= length;
  }
  return 0;
}

int line_file::write(std::string_view line) noexcept {
  int const why = write_all(descriptor_.number(), std::as_bytes(std::span(line)));
  if (why == 0)
    whole_ += static_cast<off_t>(line.size());
  else  // a torn line is as good as none to the reader, should this fail too
    (void)!::ftruncate(descriptor_.number(), whole_);
  return why;
}

}  // namespace autotunenet
