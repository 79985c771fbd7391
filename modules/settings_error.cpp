module;
#include <cstddef>
#include <format>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "printable.hpp"

module autotunenet;

namespace autotunenet {

struct settings_error::report {
  std::string file;
  std::vector<settings_problem> problems;
};

namespace {

std::string message(std::string const& file, std::vector<settings_problem> const& problems) {
  std::string text;
  for (settings_problem const& p : problems) {
    if (!text.empty()) text += '\n';
    text +=
        p.line == 0 ? std::format("{}: {}", file, p.text) : std::format("{}:{}:{}: {}", file, p.line, p.column, p.text);
  }
  return text;
}

std::vector<settings_problem> readable(std::vector<settings_problem> problems) {
  constexpr std::size_t longest = 600;
  for (settings_problem& p : problems) p.text = printable(p.text, longest);
  return problems;
}

}  // namespace

settings_error::settings_error(std::string file, std::vector<settings_problem> problems)
    : settings_error(std::make_shared<report const>(std::move(file), readable(std::move(problems)))) {}
settings_error::settings_error(std::shared_ptr<report const> made)
    : invalid_option(message(made->file, made->problems)), report_(std::move(made)) {}
std::string const& settings_error::file() const noexcept { return report_->file; }
std::vector<settings_problem> const& settings_error::problems() const noexcept { return report_->problems; }

}  // namespace autotunenet
