module;
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

module autotunenet:tied_rates;

import :archive;
import :search_space;
import :trial;

namespace autotunenet {

/// The parameters whose values the trials of a stage move together, by ratios: one, or each group's own. The first
/// stands for all.
class tied_rates {
 public:
  tied_rates() = default;
  /// All that `name` means in a space; none where "lr" means none. Throws `invalid_option`, in the stage's name, for
  /// any other name that means none, and for a parameter that is not real, or has no values above 0.
  tied_rates(search_space const& space, std::string_view name, std::string_view stage);

  bool none() const noexcept { return rates_.empty(); }
  /// The ratios between them are those of `values` from here on.
  void tie(configuration const& values);

  /// The first one's value, above 0. @pre not none
  double value(configuration const& values) const noexcept;
  /// The same of native values. @pre as many as the space has
  double value(std::span<double const> values) const noexcept;
  /// The first one's value that really ran; NaN where that is not known. Throws `invalid_option` where what was
  /// observed is of another size. @pre not none
  double ran(suggestion const& asked, observation const& seen) const;
  /// From the first one's lowest (0) to its highest value (1), by equal ratios, whatever its scale: where it reaches
  /// down to 0, from a hundred millionth of the highest on. @pre not none
  double at(double unit) const noexcept;
  /// Sets the first one, and the others in their ratios; each stays within its bounds. @pre tied
  void set(configuration& values, double first) const;

  /// Gives all but these the values of `others`. @pre as many as the space has
  void hold_others(configuration& values, std::span<double const> others) const;

  /// The ratios.
  void fields(archive& a);

 private:
  struct rate {
    std::size_t index;
    double lowest;
    double ratio = 1.0;
  };

  std::vector<rate> rates_{};
  std::optional<search_space> first_{};  // its values above 0 alone
};

}  // namespace autotunenet
