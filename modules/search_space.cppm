export module autotunenet:search_space;

import autotunenet.standard;

namespace autotunenet {

/// A number of any type, but no truth value and no character.
template <class Type>
concept plain_number = std::is_arithmetic_v<Type> && !std::same_as<Type, bool> && !std::same_as<Type, char> &&
                       !std::same_as<Type, wchar_t> && !std::same_as<Type, char8_t> && !std::same_as<Type, char16_t> &&
                       !std::same_as<Type, char32_t>;

}  // namespace autotunenet

export namespace autotunenet {

/// How distance is measured along a parameter: by difference or by ratio.
enum class scale : std::uint8_t { linear, log };

/// A real-valued parameter in [min, max], both finite, min < max; `scale::log` needs min > 0.
struct real {
  std::string name;
  double min = 0.0;
  double max = 1.0;
  scale spacing = scale::linear;
};

/// A whole number in [min, max], min < max; `scale::log` needs min > 0. At most 2^53 in magnitude.
struct integer {
  std::string name;
  std::int64_t min = 0;
  std::int64_t max = 1;
  scale spacing = scale::linear;
};

/// One choice of a categorical parameter: a number or a word. A whole number beyond 2^53 becomes the nearest double.
class category : public std::variant<double, std::string> {
 public:
  using std::variant<double, std::string>::variant;
  category() = default;
  category(std::variant<double, std::string> choice) : variant(std::move(choice)) {}
  // The variant itself takes no number that a double may round, and no view.
  template <plain_number Number>
    requires(!std::is_convertible_v<Number, std::variant<double, std::string>>)
  category(Number number) : variant(static_cast<double>(number)) {}
  category(std::string_view word) : variant(std::string(word)) {}
};

/// An unordered choice; at least one, none twice.
struct categorical {
  std::string name;
  std::vector<category> choices;
};

using parameter = std::variant<real, integer, categorical>;

std::string const& name_of(parameter const&) noexcept;

class configuration;

/// Ordered, named parameters. Immutable and cheap to copy: copies share one description.
///
/// A point has two forms. *Native* values are what the user means: a learning rate, a count, the index of a category.
/// *Unit* values lie in [0, 1]: 0 is exactly `min`, 1 exactly `max`, log parameters are spaced by ratio, and each
/// whole number or category owns an interval of equal width and is represented by the middle of it.
class search_space {
 public:
  /// Throws `invalid_option`: empty space, empty or duplicate name, min >= max, bounds that are not finite, log scale
  /// with min <= 0, no choices, duplicate or non-finite choices.
  search_space(std::initializer_list<parameter> parameters);
  explicit search_space(std::vector<parameter> parameters);

  std::size_t size() const noexcept;
  /// @pre i < size()
  parameter const& operator[](std::size_t i) const noexcept;
  std::optional<std::size_t> find(std::string_view name) const noexcept;
  /// As `find`; throws `invalid_option`, with the nearest known name, where there is no such parameter.
  std::size_t index(std::string_view name) const;

  /// Native to unit. Values outside the bounds land on the nearer bound, NaN on the lower one.
  double to_unit(std::size_t i, double native) const noexcept;
  /// Unit to native, always inside the bounds; u <= 0 gives exactly min, u >= 1 exactly max.
  double from_unit(std::size_t i, double unit) const noexcept;
  /// Whole points at once. @pre both spans hold size() values.
  void to_unit(std::span<double const> native, std::span<double> unit) const noexcept;
  void from_unit(std::span<double const> unit, std::span<double> native) const noexcept;

  /// The nearest allowed native value; NaN becomes the lower bound.
  double clamp(std::size_t i, double native) const noexcept;
  bool contains(std::size_t i, double native) const noexcept;
  bool is_categorical(std::size_t i) const noexcept;
  /// Choices of a categorical, whole numbers of an integer parameter; 0 for a real one.
  double count(std::size_t i) const noexcept;

  /// The middle of the unit cube.
  configuration center() const;
  /// The center with some parameters set by name, in native units; throws as `configuration::set`.
  configuration at(std::initializer_list<std::pair<std::string_view, double>> values) const;

  /// Same parameters in the same order.
  bool operator==(search_space const&) const noexcept;

 private:
  struct axis;
  struct description;
  friend class configuration;
  std::shared_ptr<description const> description_;
};

/// One point of a search space, in native units. Assigning one configuration to another of the same space allocates
/// nothing.
class configuration {
 public:
  /// Belongs to no space and holds no values.
  configuration() = default;
  /// The given native values, clamped to the bounds. @pre values.size() == space.size()
  configuration(search_space space, std::span<double const> values);

  inline bool empty() const noexcept { return values_.empty(); }
  inline std::size_t size() const noexcept { return values_.size(); }
  /// Native values in declared order; a category is its index.
  inline std::span<double const> values() const noexcept { return values_; }
  inline double operator[](std::size_t i) const noexcept { return values_[i]; }
  /// By name, as a number: a numeric category gives its value. Throws `invalid_option` for an unknown name and for a
  /// category that is a word.
  double operator[](std::string_view name) const;
  /// The chosen category. Throws `invalid_option` for an unknown name or a parameter that is not categorical.
  category const& chosen(std::string_view name) const;
  /// A person's reading of value i: a number, or the category's word.
  std::string text(std::size_t i) const;

  /// Sets value i, clamped to its bounds. @pre i < size()
  void assign(std::size_t i, double native) noexcept;
  /// Sets all values, clamped to their bounds. @pre as many as size()
  void assign(std::span<double const> native) noexcept;
  /// Sets by name; throws `invalid_option` for an unknown name, NaN, a value outside the bounds, or a number that is
  /// not among the categories. A numeric category is given by its value; where all categories are words, one of them is
  /// given by its index.
  void set(std::string_view name, double native);
  /// Sets a category that is a word. Throws `invalid_option` for an unknown name, a parameter that is not categorical,
  /// or a word that is not among its choices.
  void set(std::string_view name, std::string_view word);

  /// Throws `invalid_option` where there is none: an empty configuration belongs to no space.
  inline search_space const& space() const {
    if (empty()) refuse_empty();  // what was moved from keeps a space without a description
    return *space_;
  }
  /// The same values of the same space; all empty ones are equal.
  bool operator==(configuration const& other) const noexcept;

 private:
  [[noreturn]] static void refuse_empty();

  std::optional<search_space> space_;
  std::vector<double> values_;
};

}  // namespace autotunenet
