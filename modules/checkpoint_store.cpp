module;
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <format>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "descriptor.hpp"

module autotunenet;

namespace autotunenet {

namespace {

[[noreturn]] void fail(std::filesystem::path const& file, std::string_view what, int why) {
  throw checkpoint_error(std::format("checkpoint {}: {}: {}", file.string(), what, std::strerror(why)));
}

std::filesystem::path folder_of(std::filesystem::path const& file) {
  return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

std::string_view kind_of(std::filesystem::file_type type) noexcept {
  switch (type) {
    case std::filesystem::file_type::directory:
      return "a folder";
    case std::filesystem::file_type::fifo:
      return "a pipe";
    case std::filesystem::file_type::socket:
      return "a socket";
    case std::filesystem::file_type::block:
    case std::filesystem::file_type::character:
      return "a device";
    default:
      return "something else";
  }
}

/// A rename would replace whatever has the name, and a pipe would never open.
void refuse_all_but_files(std::filesystem::path const& file) {
  std::error_code ignored;
  auto const type = std::filesystem::status(file, ignored).type();
  if (type == std::filesystem::file_type::regular || type == std::filesystem::file_type::not_found ||
      type == std::filesystem::file_type::none)
    return;
  throw checkpoint_error(
      std::format("checkpoint {}: is {}, not a file; choose another name", file.string(), kind_of(type)));
}

/// Makes renames in a folder last; some file systems cannot, and say EINVAL.
int sync_folder(std::filesystem::path const& file) noexcept {
  descriptor const folder(folder_of(file), O_RDONLY | O_DIRECTORY);
  if (!folder) return errno;
  return ::fsync(folder.number()) != 0 && errno != EINVAL ? errno : 0;
}

/// Who may read a checkpoint, where one has the name: whoever made it so meant those that follow too.
std::optional<mode_t> mode_of(std::filesystem::path const& file) noexcept {
  struct stat status = {};
  if (::stat(file.c_str(), &status) != 0) return std::nullopt;
  return status.st_mode & 07777;
}

// The parts as they lie: they may be large.
int write_durably(std::filesystem::path const& file, std::span<std::byte const> header,
                  std::span<checkpoint_part const> parts, std::optional<mode_t> mode) noexcept {
  descriptor out(file, O_WRONLY | O_CREAT | O_TRUNC);
  if (!out) return errno;
  int why = mode ? set_mode(out.number(), *mode) : 0;
  if (why == 0) why = write_all(out.number(), header);
  for (std::size_t i = 0; why == 0 && i < parts.size(); ++i) why = write_all(out.number(), parts[i].bytes);
  if (why == 0 && ::fsync(out.number()) != 0) why = errno;
  int const closed = out.close();
  return why != 0 ? why : closed;
}

/// From a place in a file on, as many bytes as there are: fewer where it was shortened meanwhile.
std::vector<std::byte> bytes_at(descriptor const& in, std::uint64_t place, std::uint64_t size,
                                std::filesystem::path const& file) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(size));
  std::size_t done = 0;
  while (done < bytes.size()) {
    ssize_t const got =
        ::pread(in.number(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(place + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(file, "cannot be read", errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

// A file may be of any size, and memory may not: the header's word is taken before any part is.
std::optional<checkpoint> read_file(std::filesystem::path const& file) {
  refuse_all_but_files(file);
  descriptor const in(file, O_RDONLY);
  if (!in && errno == ENOENT) return std::nullopt;
  if (!in) fail(file, "cannot be opened", errno);
  struct stat status = {};
  if (::fstat(in.number(), &status) != 0) fail(file, "cannot be examined", errno);
  if (!S_ISREG(status.st_mode)) throw checkpoint_error(std::format("checkpoint {}: is no file", file.string()));
  std::string const name = file.string();
  auto const total = static_cast<std::uint64_t>(status.st_size);
  checkpoint_header header =
      read_header(name, bytes_at(in, 0, std::min<std::uint64_t>(total, largest_header), file), total);
  std::vector<checkpoint_part> parts;
  std::uint64_t place = header.size;
  for (checkpoint_header::part& one : header.parts) {
    std::vector<std::byte> bytes = bytes_at(in, place, one.size, file);
    one.check(name, bytes);
    parts.push_back({std::move(one.name), std::move(bytes)});
    place += one.size;
  }
  return checkpoint(name, std::move(parts));
}

std::filesystem::path with_ending(std::filesystem::path file, char const* ending) { return file += ending; }

/// All that a store renames or opens.
void check_place(std::filesystem::path const& file) {
  for (char const* ending : {"", ".previous", ".new", ".lock"}) refuse_all_but_files(with_ending(file, ending));
}

/// The lock holds where it was made, wherever the process goes: so must the name. A link stands for what it names,
/// which a rename would not reach, nor the lock of another store.
std::filesystem::path lasting(std::filesystem::path const& file) {
  std::error_code why;
  bool const link = std::filesystem::is_symlink(file, why);
  auto found = link ? std::filesystem::canonical(file, why) : std::filesystem::absolute(file, why);
  if (why) fail(file, link ? "is a link that leads nowhere" : "cannot be found", why.value());
  return found;
}

}  // namespace

checkpoint_store::checkpoint_store(std::filesystem::path file) : file_(lasting(file)) {
  check_place(file_);
  auto const lock = with_ending(file_, ".lock");
  lock_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (lock_ < 0) fail(lock, "cannot be made", errno);
  int const why = lock_for_writing(lock_);
  if (why == 0) return;
  ::close(lock_);
  if (why != EWOULDBLOCK) fail(lock, "cannot be locked", why);
  throw checkpoint_error(
      std::format("checkpoint {}: another run is writing it; give each run a checkpoint of its own", file_.string()));
}

checkpoint_store::checkpoint_store(checkpoint_store&& other) noexcept
    : file_(std::move(other.file_)), lock_(std::exchange(other.lock_, -1)), newest_is_whole_(other.newest_is_whole_) {}
checkpoint_store& checkpoint_store::operator=(checkpoint_store&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(lock_, other.lock_);
  std::swap(newest_is_whole_, other.newest_is_whole_);
  return *this;
}
checkpoint_store::~checkpoint_store() {
  if (lock_ >= 0) ::close(lock_);
}

std::filesystem::path checkpoint_store::previous_file() const { return with_ending(file_, ".previous"); }

bool checkpoint_store::newest_is_whole() const {
  if (!newest_is_whole_) {
    try {
      read_file(file_);
      newest_is_whole_ = true;
    } catch (std::exception const&) {  // what memory cannot hold is of no use either
      newest_is_whole_ = false;
    }
  }
  return *newest_is_whole_;
}

void checkpoint_store::write(std::span<checkpoint_part const> parts) {
  check_place(file_);
  auto const fresh = with_ending(file_, ".new");
  bool const keeps_newest = newest_is_whole();
  auto const mode = mode_of(file_) ? mode_of(file_) : mode_of(previous_file());
  if (int const why = write_durably(fresh, header_of(parts), parts, mode); why != 0) {
    ::unlink(fresh.c_str());
    fail(file_, "cannot be written, the one before stays", why);
  }
  bool const moved = keeps_newest && ::rename(file_.c_str(), previous_file().c_str()) == 0;
  if (keeps_newest && !moved && errno != ENOENT) {
    int const why = errno;
    ::unlink(fresh.c_str());
    fail(file_, "cannot become the previous one, and stays", why);
  }
  if (::rename(fresh.c_str(), file_.c_str()) != 0) {
    int const why = errno;
    if (moved) ::rename(previous_file().c_str(), file_.c_str());
    ::unlink(fresh.c_str());
    fail(file_, "cannot be replaced, the one before stays", why);
  }
  newest_is_whole_ = true;
  if (int const why = sync_folder(file_); why != 0)
    fail(file_, "was written, but may not outlive a power failure", why);
}

std::optional<checkpoint> checkpoint_store::read() const {
  try {
    auto newest = read_file(file_);
    newest_is_whole_ = true;
    if (newest) return newest;
  } catch (checkpoint_error const& damaged) {
    newest_is_whole_ = false;
    bool whole = false;
    try {
      whole = read_previous().has_value();
    } catch (checkpoint_error const&) {
    }
    throw checkpoint_error(std::format("{}; {}", damaged.what(),
                                       whole ? std::format("the one before, {}, is whole", previous_file().string())
                                             : "there is no whole one before it"));
  }
  // A process that stopped between two renames left the one before alone.
  return read_previous();
}

std::optional<checkpoint> checkpoint_store::read_previous() const { return read_file(previous_file()); }

}  // namespace autotunenet
