module;
#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

module autotunenet:back_off;

import :parameter_name;
import :search_space;

namespace autotunenet {

/// Moves a configuration towards safety.
class safety {
 public:
  /// Throws `invalid_option` for a name that means no parameter of the space, unless it is "lr".
  safety(search_space space, std::span<std::string const> names, double factor);

  /// One back-off of `values`, in place. Parameters that are safer when smaller first go down to what failed, `ran`.
  void retreat(std::span<double> values, std::span<double const> ran) const noexcept;

 private:
  enum class way : unsigned char { stay, shrink, shrink_to_min, center };
  static bool named(std::string_view name, std::span<std::string const> names) noexcept;

  search_space space_;
  double factor_;
  std::vector<way> ways_;
};

inline safety::safety(search_space space, std::span<std::string const> names, double factor)
    : space_(space), factor_(factor), ways_(space.size(), way::stay) {
  for (std::string const& name : names) check_name(space, name, "guard", "safety");
  bool any = false;
  for (std::size_t i = 0; i < space.size(); ++i) {
    auto const* p = std::get_if<real>(&space[i]);
    if (!p || !named(p->name, names)) continue;
    ways_[i] = p->spacing == scale::log ? way::shrink : way::shrink_to_min;
    any = true;
  }
  for (std::size_t i = 0; !any && i < space.size(); ++i) {
    if (std::holds_alternative<real>(space[i])) ways_[i] = way::center;
  }
}

inline bool safety::named(std::string_view name, std::span<std::string const> names) noexcept {
  return std::ranges::any_of(names, [&](std::string_view known) { return means(known, name); });
}

inline void safety::retreat(std::span<double> values, std::span<double const> ran) const noexcept {
  for (std::size_t i = 0; i < values.size(); ++i) {
    double const smaller = std::min(values[i], ran[i]);
    double const min = space_.from_unit(i, 0.0);
    switch (ways_[i]) {
      case way::stay:
        break;
      case way::shrink:
        values[i] = smaller * factor_;
        break;
      case way::shrink_to_min:
        values[i] = min + (smaller - min) * factor_;
        break;
      case way::center: {
        double const unit = space_.to_unit(i, values[i]);
        values[i] = space_.from_unit(i, 0.5 + (unit - 0.5) * factor_);
        break;
      }
    }
    values[i] = space_.clamp(i, values[i]);
  }
}

}  // namespace autotunenet
