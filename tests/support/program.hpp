#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace test {

/// How a program ended, and what it wrote.
struct ended {
  int code = -1;       ///< the exit code; 128 + the signal where one ended it
  std::string output;  ///< standard output
  std::string errors;  ///< standard error
};

/// Runs a program to its end, with nothing on its standard input, and stops it by force after five minutes.
/// Where `until` is not empty, `signal` is sent as soon as that text was written to standard output.
ended run(std::string const& program, std::vector<std::string> arguments, std::string const& until = {},
          int signal = 0);

}  // namespace test
