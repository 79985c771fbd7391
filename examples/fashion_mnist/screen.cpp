#include "screen.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <format>

namespace {

std::string_view environment(char const* name) {
  char const* value = std::getenv(name);
  return value ? value : "";
}

bool speaks_unicode() {
  for (char const* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    std::string_view const locale = environment(name);
    if (!locale.empty()) return locale.find("UTF-8") != locale.npos || locale.find("utf8") != locale.npos;
  }
  return false;
}

}  // namespace

screen::screen()
    : terminal_(isatty(STDOUT_FILENO) != 0 && environment("TERM") != "dumb"),
      colour_(terminal_ && environment("NO_COLOR").empty()),
      unicode_(speaks_unicode()) {
  winsize size{};
  if (terminal_ && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) width_ = size.ws_col;
}

void screen::line(std::string_view text) {
  clear();
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

void screen::progress(double done, std::string_view text) {
  auto const now = std::chrono::steady_clock::now();
  if (!terminal_ || now - last_ < std::chrono::milliseconds(100)) return;
  last_ = now;
  std::size_t const length = 24,
                    filled = static_cast<std::size_t>(std::clamp(done, 0.0, 1.0) * static_cast<double>(length));
  std::string bar;
  for (std::size_t i = 0; i < length; ++i) bar += i < filled ? (unicode_ ? "█" : "#") : (unicode_ ? "░" : ".");
  std::size_t const room = width_ > length + 4 ? width_ - length - 4 : 0;
  std::string const shown = std::format("\r\033[K{}  {}", styled(bar, style::good), text.substr(0, room));
  std::fwrite(shown.data(), 1, shown.size(), stdout);
  std::fflush(stdout);
  moving_ = true;
}

void screen::clear() {
  if (moving_) std::fputs("\r\033[K", stdout);
  moving_ = false;
}

std::string screen::styled(std::string_view text, style as) const {
  if (!colour_ || as == style::plain) return std::string(text);
  char const* const code = as == style::faint  ? "2"
                           : as == style::bold ? "1"
                           : as == style::good ? "32"
                           : as == style::bad  ? "31"
                                               : "33";
  return std::format("\033[{}m{}\033[0m", code, text);
}
