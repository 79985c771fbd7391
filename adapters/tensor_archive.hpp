#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/_sparse_coo_tensor_unsafe.h>
#include <ATen/ops/_validate_sparse_coo_tensor_args.h>
#include <ATen/ops/empty.h>
#include <c10/util/Exception.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace autotunenet {

/// Whether a tensor's values lie in memory one after the other, or can be copied to where they do.
inline bool plain(at::Tensor const& t) { return t.layout() == at::kStrided && !t.is_quantized(); }

/// What a tensor's values take.
inline std::size_t bytes_of(at::Tensor const& t) {
  if (!t.defined()) return 0;
  if (t.layout() == at::kSparse) return t._indices().nbytes() + t._values().nbytes();
  return static_cast<std::size_t>(t.numel()) * t.itemsize();
}

template <class Archive>
void exchange(Archive& a, at::Tensor& t);

/// Whether two places that are the same have been merged is kept, and not believed.
template <class Archive>
void exchange_sparse(Archive& a, at::Tensor& t) {
  auto shape = a.reading() ? std::vector<std::int64_t>{} : t.sizes().vec();
  bool merged = !a.reading() && t.is_coalesced();
  at::Tensor places = a.reading() ? at::Tensor() : t._indices();
  at::Tensor values = a.reading() ? at::Tensor() : t._values();
  a(shape)(merged);
  exchange(a, places);
  exchange(a, values);
  if (!a.reading()) return;
  if (!places.defined() || !values.defined()) a.refuse("holds a sparse tensor without places or values");
  try {
    at::_validate_sparse_coo_tensor_args(places, values, shape);
    t = at::_sparse_coo_tensor_unsafe(places, values, shape);
    if (merged) t = t.coalesce();
  } catch (c10::Error const&) {
    a.refuse("holds a sparse tensor with impossible places");
  }
}

/// A tensor in an archive: type, shape and the bytes of its values, those of a sparse one by their places, or that it
/// is undefined. What is read lies in main memory.
template <class Archive>
void exchange(Archive& a, at::Tensor& t) {
  bool defined = t.defined();
  a(defined);
  if (!defined) {
    t = at::Tensor();
    return;
  }
  bool sparse = !a.reading() && t.layout() == at::kSparse;
  a(sparse);
  if (sparse) return exchange_sparse(a, t);
  if (!a.reading() && !plain(t))
    a.refuse("cannot be: a quantized tensor, or one of its layout, has no place in a checkpoint");
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
  // A tensor without values has strides all the same, which must not overflow either.
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  auto extent = static_cast<std::uint64_t>(at::elementSize(kind));
  bool empty = false;
  for (std::int64_t const size : shape) {
    if (size < 0 || (size > 0 && extent > most / static_cast<std::uint64_t>(size)))
      a.refuse("holds a tensor of an impossible shape");
    empty = empty || size == 0;
    if (size > 0) extent *= static_cast<std::uint64_t>(size);
  }
  a.expect(empty ? 0 : extent);
  t = at::empty(shape, at::TensorOptions(kind));
  a.block(t.mutable_data_ptr(), t.nbytes());
}

}  // namespace autotunenet
