#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace autotunenet {

/// Whether a tensor's values lie in memory one after the other, or can be copied to where they do.
inline bool plain(at::Tensor const& t) { return t.layout() == at::kStrided && !t.is_quantized(); }

/// A tensor in an archive: type, shape and the bytes of its values, or that it is undefined. What is read lies in main
/// memory.
template <class Archive>
void exchange(Archive& a, at::Tensor& t) {
  bool defined = t.defined();
  a(defined);
  if (!defined) {
    t = at::Tensor();
    return;
  }
  if (!a.reading() && !plain(t)) a.refuse("cannot be: a sparse or quantized tensor has no place in a checkpoint");
  at::Tensor values = a.reading() ? at::Tensor() : t.detach().to(at::kCPU).contiguous();
  auto type = a.reading() ? std::int8_t{} : static_cast<std::int8_t>(values.scalar_type());
  auto shape = a.reading() ? std::vector<std::int64_t>{} : values.sizes().vec();
  a(type)(shape);
  if (!a.reading()) {
    a.block(values.mutable_data_ptr(), values.nbytes());
    return;
  }
  auto const kind = static_cast<at::ScalarType>(type);
  if (type < 0 || type >= static_cast<std::int8_t>(at::ScalarType::NumOptions) || at::isQIntType(kind) ||
      kind == at::ScalarType::Undefined || at::isBitsType(kind)) {
    a.refuse("holds a tensor of an unknown type");
  }
  auto bytes = static_cast<std::uint64_t>(at::elementSize(kind));
  for (std::int64_t const size : shape) {
    if (size < 0) a.refuse("holds a tensor of an impossible shape");
    if (size > 0 && bytes > std::numeric_limits<std::uint64_t>::max() / static_cast<std::uint64_t>(size))
      a.refuse("holds a tensor of an impossible shape");
    bytes *= static_cast<std::uint64_t>(size);
  }
  a.expect(bytes);
  t = at::empty(shape, at::TensorOptions(kind));
  a.block(t.mutable_data_ptr(), t.nbytes());
}

}  // namespace autotunenet
