module;
#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

module autotunenet:unit_box;

import :archive;
import :search_space;
import :trial;

namespace autotunenet {

/// A copy of the part of the unit cube that a suggestion can reach.
struct unit_box {
  std::vector<double> lower;
  std::vector<double> upper;

  explicit unit_box(std::size_t dimensions) : lower(dimensions, 0.0), upper(dimensions, 1.0) {}
  /// From what an observation says: the whole cube where it says nothing, and always all categories.
  /// Throws `invalid_option` where the spans do not fit the space.
  void assign(search_space const& space, reach within);
  void fields(archive& a);
};

/// The point of the box nearest to `unit` that stands for an allowed value; outside the box only where the box holds
/// none.
double settle(search_space const& space, std::size_t i, double unit, double lower, double upper) noexcept;

[[noreturn]] void refuse_applied(std::size_t given, std::size_t wanted);

/// Whether each category among native values is an index of its choices, or NaN. @pre as many as the space has
bool indexed(search_space const& space, std::span<double const> values) noexcept;

/// The native values that really ran: those suggested where none are reported, or categories that there are not, as by
/// who reports what `configuration::operator[]` gives by name. Throws `invalid_option` where their number does not fit.
inline std::span<double const> applied_to(suggestion const& asked, observation const& seen) {
  if (seen.applied.empty()) return asked.values.values();
  if (seen.applied.size() != asked.values.size()) refuse_applied(seen.applied.size(), asked.values.size());
  if (std::ranges::equal(seen.applied, asked.values.values())) return seen.applied;
  return indexed(asked.values.space(), seen.applied) ? seen.applied : asked.values.values();
}

/// Throws `invalid_option` unless `start` is empty or belongs to the space.
void check_start(search_space const& space, configuration const& start, char const* tuner);

}  // namespace autotunenet
