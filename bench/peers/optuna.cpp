#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <format>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "search.hpp"

namespace peers {

namespace {

/// The interpreter may be named by the variable PYTHON, with arguments.
std::string python() {
  char const* const named = std::getenv("PYTHON");
  return named ? named : "python3";
}

std::string needs(std::string const& sampler) {
  if (sampler == "GP") return "optuna, torch, scipy";
  if (sampler == "CMA-ES") return "optuna, cmaes";
  return "optuna";
}

/// A study in a process of its own; its script comes by a variable, so that the interpreter needs to see no file.
class optuna_search : public search {
 public:
  optuna_search(std::string const& sampler, std::size_t d, std::uint64_t seed, std::span<known_point const> known)
      : x_(d) {
    int to[2];
    int from[2];
    if (::pipe(to) != 0 || ::pipe(from) != 0) throw std::runtime_error("no pipe");
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(to[0], 0);
      ::dup2(from[1], 1);
      for (int end : {to[0], to[1], from[0], from[1]}) ::close(end);
      std::string const command = std::format("exec {} -c \"$OPTUNA_SEARCH\" {} {} {}", python(), sampler, d, seed);
      ::execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
      ::_exit(127);
    }
    ::close(to[0]);
    ::close(from[1]);
    out_ = ::fdopen(to[1], "w");
    in_ = ::fdopen(from[0], "r");
    std::fprintf(out_, "%zu\n", known.size());
    for (known_point const& one : known) {
      std::fprintf(out_, "%.17g", one.y);
      for (double value : one.x) std::fprintf(out_, " %.17g", value);
      std::fprintf(out_, "\n");
    }
    std::fflush(out_);
  }
  ~optuna_search() override {
    std::fclose(out_);
    std::fclose(in_);
    ::waitpid(child_, nullptr, 0);
  }

  std::span<double const> ask() override {
    bool fine = std::fscanf(in_, "%lf", &microseconds_) == 1;
    for (double& value : x_) fine = fine && std::fscanf(in_, "%lf", &value) == 1;
    if (!fine) throw std::runtime_error("Optuna ended early; its own message stands above");
    return x_;
  }
  void tell(double y) override {
    std::fprintf(out_, "%.17g\n", y);
    std::fflush(out_);
  }
  double microseconds() override { return microseconds_; }

 private:
  pid_t child_ = 0;
  std::FILE* out_ = nullptr;
  std::FILE* in_ = nullptr;
  std::vector<double> x_;
  double microseconds_ = 0.0;
};

}  // namespace

peer optuna(std::string const& sampler) {
  std::string const name = "Optuna " + sampler;
  std::string const check = std::format("{} -c 'import {}' 2>/dev/null", python(), needs(sampler));
  if (!std::getenv("OPTUNA_SEARCH") || std::system(check.c_str()) != 0) {
    return {name,
            {},
            "python3-optuna" + std::string(sampler == "GP" ? ", python3-torch and python3-scipy" : "") +
                (sampler == "CMA-ES" ? " and python3-cmaes" : "")};
  }
  std::signal(SIGPIPE, SIG_IGN);
  return {name,
          [sampler](std::size_t d, std::uint64_t seed, std::span<known_point const> known) -> std::unique_ptr<search> {
            return std::make_unique<optuna_search>(sampler, d, seed, known);
          },
          ""};
}

}  // namespace peers
