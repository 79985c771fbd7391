#pragma once
#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "../modules/descriptor.hpp"

namespace autotunenet {

/// A file that grows by whole lines, each in one piece, with one writer at a time: it is locked. Throws `error`, with
/// the file's name and the system's reason.
class line_file {
 public:
  /// A new file, or with `append` one that may exist. Throws `invalid_option` for one that exists without it.
  line_file(std::filesystem::path const& file, bool append);
  line_file(line_file const&) = delete;
  line_file& operator=(line_file const&) = delete;

  std::string const& name() const noexcept { return name_; }
  /// Whether there is something in it; devices count as empty.
  bool empty() const noexcept { return whole_ == 0; }
  /// Whether there is a complete line in it.
  bool has_line() const { return end_of_lines() > 0; }
  /// What it begins with: so many bytes, or all there are.
  std::string beginning(std::size_t bytes) const;
  /// Cuts off what follows the last complete line.
  void drop_torn_line();
  /// Takes the file out of its folder where it was not there before: nothing is left of a start that failed.
  void undo_making() noexcept;
  /// Appends a line, its end included. Gives the error number, or 0; after an error the file is as it was.
  int write(std::string_view line) noexcept;

 private:
  void begin();
  [[noreturn]] void fail(std::string_view what, int why) const;
  off_t end_of_lines() const;

  std::string name_;
  descriptor descriptor_;
  bool made_ = false;  // it did not exist before
  off_t whole_ = 0;    // bytes that are to stay
};

}  // namespace autotunenet
