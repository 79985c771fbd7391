#include "tensor_storage.hpp"

#include <ATen/MapAllocator.h>
#include <ATen/ops/from_file.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <format>
#include <string>
#include <system_error>
#include <utility>

import autotunenet;

namespace autotunenet {

namespace {

// Below it a file's pages and its entry in the system's tables cost more than they save.
constexpr std::size_t worth_a_file = std::size_t{64} << 10;

bool lies_in_file(at::Tensor const& t) { return at::MapAllocator::fromDataPtr(t.storage().data_ptr()) != nullptr; }

/// A file that has room for so many bytes, until it goes out of scope; a mapping of it lives on.
class nameless_file {
 public:
  nameless_file(std::filesystem::path const& folder, std::size_t bytes) : name_((folder / "snapshot-XXXXXX").string()) {
    descriptor_ = mkostemp(name_.data(), O_CLOEXEC);
    // Without the room a write through the mapping would end the process.
    int const why = descriptor_ < 0 ? errno
                    : bytes > 0     ? posix_fallocate(descriptor_, 0, static_cast<off_t>(bytes))
                                    : 0;
    if (why == 0) return;
    close();
    throw error(std::format("snapshot folder {}: no file of {} bytes can be made: {}", folder.string(), bytes,
                            std::strerror(why)));
  }
  nameless_file(nameless_file const&) = delete;
  nameless_file& operator=(nameless_file const&) = delete;
  ~nameless_file() { close(); }

  std::string const& name() const noexcept { return name_; }

 private:
  void close() noexcept {
    if (descriptor_ < 0) return;
    ::unlink(name_.c_str());
    ::close(descriptor_);
    descriptor_ = -1;
  }

  std::string name_;
  int descriptor_ = -1;
};

}  // namespace

std::filesystem::path lasting_folder(std::filesystem::path const& folder) {
  if (folder.empty()) return {};
  std::error_code why;
  auto found = std::filesystem::absolute(folder, why);
  if (why) throw invalid_option(std::format("snapshot folder {}: cannot be found: {}", folder.string(), why.message()));
  return found;
}

tensor_storage::tensor_storage(std::filesystem::path const& folder) : folder_(lasting_folder(folder)) {
  if (folder_.empty()) return;
  try {
    nameless_file const probe(folder_, 0);
  } catch (error const& why) {
    throw invalid_option(why.what());
  }
}

bool tensor_storage::wants_file(at::Tensor const& t) const {
  return !folder_.empty() && t.is_cpu() && t.layout() == at::kStrided && !t.is_quantized() &&
         t.nbytes() >= worth_a_file;
}

at::Tensor tensor_storage::in_file(at::Tensor const& like) const {
  nameless_file const file(folder_, like.nbytes());
  return at::from_file(file.name(), true, like.numel(), at::TensorOptions(like.scalar_type())).view(like.sizes());
}

at::Tensor tensor_storage::copy(at::Tensor const& from, at::Tensor const& into) const {
  if (!from.defined()) return {};
  bool const to_file = wants_file(from);
  bool const fits = into.defined() && into.sizes() == from.sizes() && into.scalar_type() == from.scalar_type() &&
                    into.device() == from.device() && into.layout() == from.layout() &&
                    (folder_.empty() || lies_in_file(into) == to_file);
  if (!fits && !to_file) return from.detach().clone();
  at::Tensor made = fits ? into : in_file(from);
  made.copy_(from.detach());
  return made;
}

}  // namespace autotunenet
