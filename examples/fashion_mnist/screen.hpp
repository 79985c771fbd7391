#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

/// Standard output as a person sees it: a line that moves and colours on a terminal, plain lines elsewhere.
class screen {
 public:
  enum class style { plain, faint, bold, good, bad, notice };

  screen();

  /// Writes a line in place of the moving one.
  void line(std::string_view text);
  /// Shows a moving line with a bar, on a terminal, ten times a second at most.
  void progress(double done, std::string_view text);
  /// Takes the moving line away.
  void clear();

  /// The text in a style, where colours are wanted (a terminal, and no NO_COLOR). Widths are the caller's: style after
  /// padding.
  std::string styled(std::string_view text, style as) const;

 private:
  bool terminal_, colour_, unicode_, moving_ = false;
  std::size_t width_ = 80;
  std::chrono::steady_clock::time_point last_{};
};
