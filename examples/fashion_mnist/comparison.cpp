#include "comparison.hpp"

#include <cmath>
#include <format>

namespace fashion {
namespace {

using enum screen::style;

std::string number(double value, int width, int digits) {
  return std::isnan(value) ? std::format("{:>{}}", "-", width) : std::format("{:>{}.{}f}", value, width, digits);
}

// An accuracy at or below chance is a dead network.
screen::style style_of(double accuracy) { return accuracy < 0.2 ? bad : plain; }

}  // namespace

std::string epoch_header() {
  return std::format("{:7} | {:^27} | {:^39} |\n{:7} | {:>8} {:>8} {:>9} | {:>8} {:>8} {:>9} {:>11} | {}", "",
                     "left alone", "tuned", "epoch", "training", "validat.", "accuracy", "training", "validat.",
                     "accuracy", "lr", "guard");
}

std::string epoch_line(screen const& on, std::size_t epoch, std::size_t of, standing const& alone,
                       standing const& tuned) {
  auto half = [&](standing const& at) {
    return std::format(
        "{} {} {}", number(at.training_loss, 8, 4), number(at.validation_loss, 8, 4),
        on.styled(number(100.0 * at.validation_accuracy, 7, 2) + " %", style_of(at.validation_accuracy)));
  };
  return std::format("{:>3}/{:<3} | {} | {} {:>11.3e} | {}", epoch, of, half(alone), half(tuned), tuned.rate,
                     on.styled(tuned.happenings, notice));
}

std::vector<std::string> table(screen const& on, std::span<outcome const> rows) {
  std::vector<std::string> lines;
  lines.push_back(std::format("{:>9} | {:10} | {:>6} | {:>15} | {:>19} | {:>13} | {:>9} | {:>7}", "start lr", "run",
                              "epochs", "validation loss", "validation accuracy", "test accuracy", "rollbacks",
                              "seconds"));
  for (outcome const& row : rows) {
    std::string const line =
        std::format("{:>9.1e} | {:10} | {:>6} | {} | {} % | {} % | {:>9} | {:>7.1f}", row.start_rate,
                    row.tuned ? "tuned" : "left alone", row.at.epochs, number(row.at.validation_loss, 15, 4),
                    number(100.0 * row.at.validation_accuracy, 17, 2), number(100.0 * row.test_accuracy, 11, 2),
                    row.tuned ? std::to_string(row.at.rollbacks) : "-", row.at.seconds);
    lines.push_back(on.styled(line, row.tuned ? bold : plain));
  }
  return lines;
}

}  // namespace fashion
