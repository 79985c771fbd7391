#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>

namespace autotunenet {

/// The folder where it lies now, wherever the process goes; empty stays empty. Throws `invalid_option` where that
/// cannot be said.
std::filesystem::path lasting_folder(std::filesystem::path const& folder);

/// Where copies of tensors lie: in memory, or in files without a name that are mapped into it. The system writes such a
/// copy to the disk and takes its memory where memory is short, so that a model which does not fit twice can have one.
/// The files are gone with the tensors, and after a kill too.
class tensor_storage {
 public:
  /// An empty folder means memory; another is the one that it names now. Throws `invalid_option` where no file can be
  /// made in it.
  explicit tensor_storage(std::filesystem::path const& folder = {});

  /// `from` in storage of its own: that of `into` where it fits. Small tensors, and those that are not plain values in
  /// main memory, are always copied beside where they are. Throws `error` where there is no room for a file.
  at::Tensor copy(at::Tensor const& from, at::Tensor const& into = {}) const;

 private:
  bool wants_file(at::Tensor const& t) const;
  at::Tensor in_file(at::Tensor const& like) const;

  std::filesystem::path folder_;
};

}  // namespace autotunenet
