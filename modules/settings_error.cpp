module;
#include <cstddef>
#include <format>
#include <memory>
#include <string>
#include <utility>
#include <vector>

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

// What a person reads: of a bearable length, and nothing in it that a terminal might obey.
std::vector<settings_problem> readable(std::vector<settings_problem> problems) {
  constexpr std::size_t longest = 600;
  for (settings_problem& p : problems) {
    std::string text;
    for (std::size_t at = 0; at < p.text.size() && text.size() <= longest; ++at) {
      auto const byte = static_cast<unsigned char>(p.text[at]);
      auto const after = static_cast<unsigned char>(at + 1 < p.text.size() ? p.text[at + 1] : 0);
      bool const second_set = byte == 0xc2 && after >= 0x80 && after < 0xa0;
      if (second_set)
        text += std::format("\\u{:04X}", static_cast<unsigned char>(p.text[++at]));
      else if (byte < 0x20 || byte == 0x7f)
        text += std::format("\\u{:04X}", byte);
      else
        text += p.text[at];
    }
    if (text.size() > longest) text += "...";
    p.text = std::move(text);
  }
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
