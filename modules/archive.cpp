module;
#include <cstddef>
#include <cstdint>
#include <format>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "printable.hpp"

module autotunenet;

namespace autotunenet {

namespace {

std::string shown(std::string_view text) { return printable(text, 100); }

std::string_view word(scale spacing) { return spacing == scale::log ? "log" : "linear"; }

std::string description(real const& p) { return std::format("real from {} to {}, {}", p.min, p.max, word(p.spacing)); }
std::string description(integer const& p) {
  return std::format("integer from {} to {}, {}", p.min, p.max, word(p.spacing));
}
std::string description(categorical const& p) {
  std::string text = "one of";
  for (category const& choice : p.choices) {
    auto const* const number = std::get_if<double>(&choice);
    text += number ? std::format(" {}", *number) : std::format(" \"{}\"", std::get<std::string>(choice));
  }
  return text;
}

constexpr std::string_view other_stages =
    ": it was made with another tuner or other stages; what chooses them, such as [tuning] objective, range_test and "
    "anneal, must be as it was";

}  // namespace

void archive::section(std::string_view name) {
  std::size_t const size = length(name.size(), 1);
  if (!reading_) {
    block(const_cast<char*>(name.data()), size);  // only read from
    return;
  }
  auto const* const found = reinterpret_cast<char const*>(from_.data() + at_);
  at_ += size;
  if (std::string_view(found, size) != name)
    refuse(std::format("holds \"{}\" where \"{}\" belongs{}", shown({found, size}), name, inside_ ? other_stages : ""));
}

archive& archive::at_most(std::size_t& value, std::size_t limit, std::string_view option) {
  (*this)(value);
  if (reading_ && value > limit)
    refuse(std::format("is under way with {} = {} or more, here it is {}", option, value, limit));
  return *this;
}

archive& archive::same_option(std::size_t here, std::string_view option) {
  std::size_t saved = here;
  (*this)(saved);
  if (saved != here) refuse(std::format("is of a run with {} = {}, here it is {}", option, saved, here));
  return *this;
}

archive& archive::operator()(configuration& values) {
  std::uint64_t size = values.size();
  (*this)(size);
  if (size != values.size()) refuse_count(size, values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    double native = values[i];
    (*this)(native);
    if (!reading_) continue;
    if (!values.space().contains(i, native)) refuse("holds a configuration outside the bounds of its search space");
    values.assign(i, native);
  }
  return *this;
}

archive& archive::operator()(suggestion& all) {
  (*this)(all.number)(all.values);
  between(all.why, reason::start, reason::back_off);
  return (*this)(all.events)(all.state);
}

archive& archive::same(search_space const& space) {
  std::uint64_t count = space.size();
  (*this)(count);
  for (std::size_t i = 0; i < space.size(); ++i) {
    std::string name = name_of(space[i]);
    std::string text = std::visit([](auto const& p) { return description(p); }, space[i]);
    if (!reading_) {
      (*this)(name)(text);
      continue;
    }
    if (i >= count) refuse(std::format("has no parameter \"{}\"", name));
    std::string saved_name, saved_text;
    (*this)(saved_name)(saved_text);
    if (saved_name != name)
      refuse(std::format("has \"{}\" as parameter {}, here it is \"{}\"", shown(saved_name), i + 1, name));
    if (saved_text != text)
      refuse(std::format("has the parameter \"{}\" as {}, here it is {}", name, shown(saved_text), text));
  }
  if (reading_ && count > space.size()) {
    std::string extra;
    (*this)(extra);
    refuse(std::format("has a parameter \"{}\" that is not here", shown(extra)));
  }
  return *this;
}

void archive::refuse(std::string_view why) { throw checkpoint_error("what was saved " + std::string(why)); }
void archive::refuse_number(std::uint64_t number, std::size_t limit) {
  refuse(std::format("holds the number {} where it must be below {}", number, limit));
}
void archive::refuse_count(std::uint64_t given, std::size_t wanted) {
  refuse(std::format("holds {} values where {} belong", given, wanted));
}
void archive::refuse_size() { refuse("is damaged: it holds less than it says"); }

}  // namespace autotunenet
