#pragma once
#include <cstddef>

namespace autotunenet::detail {

/// Solves L x = v in place. L is lower triangular with n rows, column by column, `stride` values apart; what lies above
/// the diagonal is not read. Twice as many lanes are used where the processor has them: to the same bits.
void solve_lower(double const* l, std::ptrdiff_t stride, std::ptrdiff_t n, double* v) noexcept;

/// Solves L' x = v in place.
void solve_lower_transposed(double const* l, std::ptrdiff_t stride, std::ptrdiff_t n, double* v) noexcept;

}  // namespace autotunenet::detail
