module;
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <format>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

module autotunenet;

namespace autotunenet {

namespace {

constexpr std::int64_t largest_integer = std::int64_t{1} << 53;  // every whole number up to here is a double

template <class... Handlers>
struct overloaded : Handlers... {
  using Handlers::operator()...;
};

std::string shown(category const& choice) {
  return std::visit(overloaded{[](double number) { return std::format("{}", number); },
                               [](std::string const& word) { return std::format("\"{}\"", word); }},
                    choice);
}

bool holds_word(category const& choice) { return std::holds_alternative<std::string>(choice); }

}  // namespace

std::string const& name_of(parameter const& p) noexcept {
  return std::visit([](auto const& kind) -> std::string const& { return kind.name; }, p);
}

/// A parameter's transform, prepared: values live on [low, high] after `log` where spacing asks for it.
struct search_space::axis {
  double min = 0.0;
  double max = 1.0;
  double low = 0.0;
  double high = 1.0;
  double count = 0.0;  // of whole values; 0 for a real parameter
  bool logarithmic = false;
  bool category = false;

  double forward(double native) const noexcept { return logarithmic ? std::log(native) : native; }
  double backward(double value) const noexcept { return logarithmic ? std::exp(value) : value; }
  bool whole() const noexcept { return count > 0.0; }
};

struct search_space::description {
  std::vector<parameter> parameters;
  std::vector<axis> axes;

  static axis prepare(real const& p) {
    check_bounds(p.name, p.min, p.max, p.spacing);
    return finish({.min = p.min, .max = p.max, .logarithmic = p.spacing == scale::log});
  }
  static axis prepare(integer const& p) {
    if (std::min(p.min, p.max) < -largest_integer || std::max(p.min, p.max) > largest_integer) {
      throw invalid_option(
          std::format("parameter \"{}\": bounds {} and {} must lie within 2^53 of zero", p.name, p.min, p.max));
    }
    auto const min = static_cast<double>(p.min);
    auto const max = static_cast<double>(p.max);
    check_bounds(p.name, min, max, p.spacing);
    return finish({.min = min, .max = max, .count = max - min + 1.0, .logarithmic = p.spacing == scale::log});
  }
  static axis prepare(categorical const& p) {
    if (p.choices.empty()) throw invalid_option(std::format("parameter \"{}\": needs at least one choice", p.name));
    for (auto choice = p.choices.begin(); choice != p.choices.end(); ++choice) {
      if (auto const* number = std::get_if<double>(&*choice); number && !std::isfinite(*number)) {
        throw invalid_option(std::format("parameter \"{}\": choice {} is not finite", p.name, *number));
      }
      if (std::find(p.choices.begin(), choice, *choice) != choice) {
        throw invalid_option(std::format("parameter \"{}\": choice {} appears twice", p.name, shown(*choice)));
      }
    }
    auto const count = static_cast<double>(p.choices.size());
    return finish({.min = 0.0, .max = count - 1.0, .count = count, .category = true});
  }

 private:
  static void check_bounds(std::string const& name, double min, double max, scale spacing) {
    if (!std::isfinite(min) || !std::isfinite(max)) {
      throw invalid_option(
          std::format("parameter \"{}\": bounds min = {} and max = {} must be finite", name, min, max));
    }
    if (!(min < max)) {
      throw invalid_option(std::format("parameter \"{}\": min = {} must be below max = {}", name, min, max));
    }
    if (!std::isfinite(max - min)) {
      throw invalid_option(
          std::format("parameter \"{}\": max - min must be finite, with min = {} and max = {}", name, min, max));
    }
    if (spacing == scale::log && !(min > 0.0)) {
      throw invalid_option(std::format("parameter \"{}\": min = {} must be above 0 on a log scale", name, min));
    }
  }
  // Whole values own equal intervals: half a step is added at either end (on the log scale too).
  static axis finish(axis a) noexcept {
    double const margin = a.whole() ? 0.5 : 0.0;
    auto const place = [&] {
      a.low = a.forward(a.min - margin);
      a.high = a.forward(a.max + margin);
    };
    place();
    if (!(a.low < a.high)) {  // of bounds so close, logarithms may be equal
      a.logarithmic = false;
      place();
    }
    return a;
  }
};

search_space::search_space(std::initializer_list<parameter> parameters)
    : search_space(std::vector<parameter>(parameters)) {}

search_space::search_space(std::vector<parameter> parameters) {
  if (parameters.empty()) throw invalid_option("a search space needs at least one parameter");
  auto made = std::make_shared<description>();
  for (parameter const& p : parameters) {
    std::string const& name = name_of(p);
    if (name.empty()) throw invalid_option("a parameter needs a name that is not empty");
    auto const same = [&](parameter const& other) { return name_of(other) == name; };
    if (std::ranges::count_if(parameters, same) > 1) {
      throw invalid_option(std::format("parameter \"{}\" is declared twice", name));
    }
    made->axes.push_back(std::visit([](auto const& kind) { return description::prepare(kind); }, p));
  }
  made->parameters = std::move(parameters);
  description_ = std::move(made);
}

std::size_t search_space::size() const noexcept { return description_->parameters.size(); }
parameter const& search_space::operator[](std::size_t i) const noexcept { return description_->parameters[i]; }

std::optional<std::size_t> search_space::find(std::string_view name) const noexcept {
  auto const& all = description_->parameters;
  auto const at = std::ranges::find_if(all, [&](parameter const& p) { return name_of(p) == name; });
  if (at == all.end()) return std::nullopt;
  return static_cast<std::size_t>(at - all.begin());
}

std::size_t search_space::index(std::string_view name) const {
  if (auto const found = find(name)) return *found;
  std::vector<std::string_view> known;
  for (parameter const& p : description_->parameters) known.push_back(name_of(p));
  throw invalid_option(std::format("the search space has no parameter \"{}\"{}", name, did_you_mean(name, known)));
}

double search_space::to_unit(std::size_t i, double native) const noexcept {
  axis const& a = description_->axes[i];
  double const inside = clamp(i, native);
  if (!a.whole()) {
    if (inside <= a.min) return 0.0;
    if (inside >= a.max) return 1.0;
    return std::clamp((a.forward(inside) - a.low) / (a.high - a.low), 0.0, 1.0);
  }
  double const left = a.forward(inside - 0.5);
  double const right = a.forward(inside + 0.5);
  return (0.5 * (left + right) - a.low) / (a.high - a.low);
}

double search_space::from_unit(std::size_t i, double unit) const noexcept {
  axis const& a = description_->axes[i];
  if (!(unit > 0.0)) return a.min;
  if (unit >= 1.0) return a.max;
  double const value = a.backward(a.low + unit * (a.high - a.low));
  return std::clamp(a.whole() ? std::round(value) : value, a.min, a.max);
}

void search_space::to_unit(std::span<double const> native, std::span<double> unit) const noexcept {
  for (std::size_t i = 0; i < size(); ++i) unit[i] = to_unit(i, native[i]);
}
void search_space::from_unit(std::span<double const> unit, std::span<double> native) const noexcept {
  for (std::size_t i = 0; i < size(); ++i) native[i] = from_unit(i, unit[i]);
}

double search_space::clamp(std::size_t i, double native) const noexcept {
  axis const& a = description_->axes[i];
  if (!(native > a.min)) return a.min;
  if (native >= a.max) return a.max;
  return a.whole() ? std::round(native) : native;
}

bool search_space::contains(std::size_t i, double native) const noexcept { return clamp(i, native) == native; }
bool search_space::is_categorical(std::size_t i) const noexcept { return description_->axes[i].category; }
double search_space::count(std::size_t i) const noexcept { return description_->axes[i].count; }

configuration search_space::center() const {
  std::vector<double> values(size());
  for (std::size_t i = 0; i < size(); ++i) values[i] = from_unit(i, 0.5);
  return {*this, values};
}

configuration search_space::at(std::initializer_list<std::pair<std::string_view, double>> values) const {
  configuration made = center();
  for (auto const& [name, value] : values) made.set(name, value);
  return made;
}

bool search_space::operator==(search_space const& other) const noexcept {
  if (description_ == other.description_) return true;
  auto const same = [](parameter const& a, parameter const& b) {
    return std::visit(
        overloaded{
            [](categorical const& x, categorical const& y) { return x.name == y.name && x.choices == y.choices; },
            []<class Kind>(Kind const& x, Kind const& y) {
              return x.name == y.name && x.min == y.min && x.max == y.max && x.spacing == y.spacing;
            },
            [](auto const&, auto const&) { return false; }},
        a, b);
  };
  return std::ranges::equal(description_->parameters, other.description_->parameters, same);
}

configuration::configuration(search_space space, std::span<double const> values)
    : space_(std::move(space)), values_(values.begin(), values.end()) {
  assign(values_);
}

double configuration::operator[](std::string_view name) const {
  if (empty()) throw invalid_option(std::format("an empty configuration has no parameter \"{}\"", name));
  std::size_t const i = space_->index(name);
  if (!space_->is_categorical(i)) return values_[i];
  category const& choice = chosen(name);
  if (auto const* number = std::get_if<double>(&choice)) return *number;
  throw invalid_option(std::format("parameter \"{}\" is {}, a word: read it by chosen()", name, shown(choice)));
}

category const& configuration::chosen(std::string_view name) const {
  if (empty()) throw invalid_option(std::format("an empty configuration has no parameter \"{}\"", name));
  std::size_t const i = space_->index(name);
  auto const* kind = std::get_if<categorical>(&(*space_)[i]);
  if (!kind) throw invalid_option(std::format("parameter \"{}\" is not categorical", name));
  return kind->choices[static_cast<std::size_t>(values_[i])];
}

std::string configuration::text(std::size_t i) const {
  auto const* kind = std::get_if<categorical>(&(*space_)[i]);
  if (std::holds_alternative<integer>((*space_)[i])) return std::format("{}", static_cast<std::int64_t>(values_[i]));
  if (!kind) return std::format("{:.4g}", values_[i]);
  return std::visit(
      overloaded{[](double number) { return std::format("{}", number); }, [](std::string const& word) { return word; }},
      kind->choices[static_cast<std::size_t>(values_[i])]);
}

void configuration::assign(std::size_t i, double native) noexcept { values_[i] = space_->clamp(i, native); }
void configuration::assign(std::span<double const> native) noexcept {
  for (std::size_t i = 0; i < values_.size(); ++i) assign(i, native[i]);
}

void configuration::set(std::string_view name, double native) {
  if (empty()) throw invalid_option(std::format("an empty configuration has no parameter \"{}\"", name));
  std::size_t const i = space_->index(name);
  if (auto const* kind = std::get_if<categorical>(&(*space_)[i])) {
    auto const known = std::ranges::find(kind->choices, category{native});
    if (known != kind->choices.end())
      native = static_cast<double>(known - kind->choices.begin());
    else if (auto const words = std::ranges::count_if(kind->choices, holds_word); words < std::ssize(kind->choices))
      throw invalid_option(std::format("parameter \"{}\": {} is not among its choices{}", name, native,
                                       words > 0 ? "; words among numbers are set as words" : ""));
  }
  if (!space_->contains(i, native)) {
    throw invalid_option(std::format("parameter \"{}\": {} is not allowed; it lies between {} and {}{}", name, native,
                                     space_->from_unit(i, 0.0), space_->from_unit(i, 1.0),
                                     space_->count(i) > 0.0 ? ", whole" : ""));
  }
  values_[i] = native;
}

void configuration::set(std::string_view name, std::string_view word) {
  if (empty()) throw invalid_option(std::format("an empty configuration has no parameter \"{}\"", name));
  std::size_t const i = space_->index(name);
  auto const* kind = std::get_if<categorical>(&(*space_)[i]);
  if (!kind) throw invalid_option(std::format("parameter \"{}\" is not categorical: set it by a number", name));
  std::vector<std::string_view> words;
  for (std::size_t k = 0; k < kind->choices.size(); ++k) {
    auto const* const known = std::get_if<std::string>(&kind->choices[k]);
    if (!known) continue;
    if (*known == word) return assign(i, static_cast<double>(k));
    words.push_back(*known);
  }
  throw invalid_option(std::format("parameter \"{}\": \"{}\" is not among its choices{}", name, word,
                                   words.empty() ? ", which are numbers" : did_you_mean(word, words)));
}

void configuration::refuse_empty() {
  throw invalid_option(
      "an empty configuration belongs to no search space: what is suggested needs a value for each parameter");
}

bool configuration::operator==(configuration const& other) const noexcept {
  return values_ == other.values_ && (empty() || *space_ == *other.space_);
}

}  // namespace autotunenet
