#pragma once
#include <array>
#include <cstddef>
#include <optional>

namespace autotunenet {

/// What short annealed branches measured at multiples of a value, which multiple to try next, and where the metric
/// turns up. Shifting or scaling the metric changes nothing.
class branch_curve {
 public:
  /// Between which multiples lie.
  static constexpr double least = 0x1p-4, most = 0x1p4;

  /// @param start the metric at the start of the run
  /// @param tolerance how far above the best a branch may end, as a part of what the best has gained since the start
  branch_curve(double start, double tolerance) : start_(start), tolerance_(tolerance) {}

  /// A power of two; nothing once the turning point is enclosed or the search has left its range.
  std::optional<double> next() const noexcept;
  /// The mean metric at the end of a branch and its standard error; an infinite mean if the branch failed.
  void add(double multiple, double mean, double error) noexcept;
  /// The multiple where the metric leaves the tolerance, interpolated on log scales. The
  /// highest one where none left it. Nothing if no branch was good, or the metric is still that of the start.
  std::optional<double> turning_point() const noexcept;

  template <class Archive>
  void fields(Archive& a) {
    a(start_)(branches_);
  }

 private:
  static constexpr int lowest = -4;  // the exponents of least and most
  static constexpr int highest = 4;
  static constexpr std::size_t size = highest - lowest + 1;
  struct branch {
    bool known = false;
    double mean = 0.0;
    double error = 0.0;
    template <class Archive>
    void fields(Archive& a) {
      a(known)(mean)(error);
    }
  };
  /// By exponent: how far above the best, as a part of the best's gain; and where that counts as too far.
  struct excess {
    std::array<double, size> above{};
    double threshold = 0.0;
    bool any = false;      ///< whether a branch was good at all
    bool trained = false;  ///< whether the best of them was so beyond doubt
  };

  static constexpr std::size_t slot(int exponent) noexcept { return static_cast<std::size_t>(exponent - lowest); }
  bool known(int exponent) const noexcept { return branches_[slot(exponent)].known; }
  std::array<double, size> monotone() const noexcept;
  excess measure() const noexcept;

  double start_;
  double tolerance_;
  std::array<branch, size> branches_{};
};

}  // namespace autotunenet
