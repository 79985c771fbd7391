#include "triangular_solve.hpp"

#include <cstddef>
#include <cstring>

// Each loop is written once and compiled twice, for processors with and without AVX2. Neither version fuses
// multiplications into additions, and sums have four parts in both, so that results do not depend on the processor.
#if defined(__x86_64__) && defined(__clang__) && !defined(__AVX2__)
#define AUTOTUNENET_TWO_VERSIONS 1
#else
#define AUTOTUNENET_TWO_VERSIONS 0
#endif

namespace autotunenet::detail {

namespace {

using index = std::ptrdiff_t;
using lanes = double __attribute__((vector_size(32)));
constexpr index width = 4;  // of lanes, and columns that are taken together

[[gnu::always_inline]] inline void forward(double const* l, index stride, index n, double* v) {
  index j = 0;
  for (; j + width <= n; j += width) {
    double const* const a = l + j * stride;
    double const* const b = a + stride;
    double const* const c = b + stride;
    double const* const d = c + stride;
    double const x = v[j] / a[j];
    double const y = (v[j + 1] - a[j + 1] * x) / b[j + 1];
    double const z = (v[j + 2] - a[j + 2] * x - b[j + 2] * y) / c[j + 2];
    double const w = (v[j + 3] - a[j + 3] * x - b[j + 3] * y - c[j + 3] * z) / d[j + 3];
    v[j] = x;
    v[j + 1] = y;
    v[j + 2] = z;
    v[j + 3] = w;
    index i = j + width;
    for (; i + width <= n; i += width) {
      lanes in_a, in_b, in_c, in_d, out;
      std::memcpy(&in_a, a + i, sizeof in_a);
      std::memcpy(&in_b, b + i, sizeof in_b);
      std::memcpy(&in_c, c + i, sizeof in_c);
      std::memcpy(&in_d, d + i, sizeof in_d);
      std::memcpy(&out, v + i, sizeof out);
      out -= (in_a * x + in_b * y) + (in_c * z + in_d * w);
      std::memcpy(v + i, &out, sizeof out);
    }
    for (; i < n; ++i) v[i] -= (a[i] * x + b[i] * y) + (c[i] * z + d[i] * w);
  }
  for (; j < n; ++j) {
    double const* const column = l + j * stride;
    v[j] /= column[j];
    for (index i = j + 1; i < n; ++i) v[i] -= column[i] * v[j];
  }
}

[[gnu::always_inline]] inline double sum(lanes const& of) { return (of[0] + of[1]) + (of[2] + of[3]); }

[[gnu::always_inline]] inline void backward(double const* l, index stride, index n, double* v) {
  index j = n;
  for (; j % width != 0; --j) {
    double const* const column = l + (j - 1) * stride;
    double rest = v[j - 1];
    for (index i = j; i < n; ++i) rest -= column[i] * v[i];
    v[j - 1] = rest / column[j - 1];
  }
  for (; j > 0; j -= width) {
    double const* const a = l + (j - width) * stride;
    double const* const b = a + stride;
    double const* const c = b + stride;
    double const* const d = c + stride;
    lanes of_a{}, of_b{}, of_c{}, of_d{};
    index i = j;
    for (; i + width <= n; i += width) {
      lanes in_a, in_b, in_c, in_d, in;
      std::memcpy(&in_a, a + i, sizeof in_a);
      std::memcpy(&in_b, b + i, sizeof in_b);
      std::memcpy(&in_c, c + i, sizeof in_c);
      std::memcpy(&in_d, d + i, sizeof in_d);
      std::memcpy(&in, v + i, sizeof in);
      of_a += in_a * in;
      of_b += in_b * in;
      of_c += in_c * in;
      of_d += in_d * in;
    }
    double x = v[j - 4] - sum(of_a), y = v[j - 3] - sum(of_b), z = v[j - 2] - sum(of_c), w = v[j - 1] - sum(of_d);
    for (; i < n; ++i) {
      x -= a[i] * v[i];
      y -= b[i] * v[i];
      z -= c[i] * v[i];
      w -= d[i] * v[i];
    }
    v[j - 1] = w = w / d[j - 1];
    v[j - 2] = z = (z - c[j - 1] * w) / c[j - 2];
    v[j - 3] = y = (y - b[j - 1] * w - b[j - 2] * z) / b[j - 3];
    v[j - 4] = (x - a[j - 1] * w - a[j - 2] * z - a[j - 3] * y) / a[j - 4];
  }
}

#if AUTOTUNENET_TWO_VERSIONS
[[gnu::target("avx2")]] void forward_avx2(double const* l, index stride, index n, double* v) {
  forward(l, stride, n, v);
}
[[gnu::target("avx2")]] void backward_avx2(double const* l, index stride, index n, double* v) {
  backward(l, stride, n, v);
}
bool has_avx2() {
  static bool const has = __builtin_cpu_supports("avx2");
  return has;
}
#endif

}  // namespace

void solve_lower(double const* l, index stride, index n, double* v) noexcept {
#if AUTOTUNENET_TWO_VERSIONS
  if (has_avx2()) return forward_avx2(l, stride, n, v);
#endif
  forward(l, stride, n, v);
}

void solve_lower_transposed(double const* l, index stride, index n, double* v) noexcept {
#if AUTOTUNENET_TWO_VERSIONS
  if (has_avx2()) return backward_avx2(l, stride, n, v);
#endif
  backward(l, stride, n, v);
}

}  // namespace autotunenet::detail
