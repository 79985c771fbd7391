#include "program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <stdexcept>

namespace test {
namespace {

struct channel {
  int from = -1, to = -1;

  channel() {
    int both[2];
    if (pipe2(both, O_CLOEXEC) != 0) throw std::runtime_error("no pipe could be made");
    from = both[0];
    to = both[1];
  }
  channel(channel const&) = delete;
  channel& operator=(channel const&) = delete;
  ~channel() {
    close(from);
    close_writing();
  }
  void close_writing() {
    if (to >= 0) close(to);
    to = -1;
  }
};

// False at the end.
bool append(int from, std::string& text) {
  std::array<char, 4096> some;
  ssize_t const got = read(from, some.data(), some.size());
  if (got > 0) text.append(some.data(), static_cast<std::size_t>(got));
  return got > 0;
}

}  // namespace

ended run(std::string const& program, std::vector<std::string> arguments, std::string const& until, int signal) {
  std::vector<char*> words{const_cast<char*>(program.c_str())};
  for (std::string& argument : arguments) words.push_back(argument.data());
  words.push_back(nullptr);

  channel output, errors;
  pid_t const child = fork();
  if (child < 0) throw std::runtime_error("no process could be started");
  if (child == 0) {
    dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
    dup2(output.to, STDOUT_FILENO);
    dup2(errors.to, STDERR_FILENO);
    execv(program.c_str(), words.data());
    _exit(127);
  }
  output.close_writing();
  errors.close_writing();

  ended how;
  bool sent = until.empty();
  auto const limit = std::chrono::steady_clock::now() + std::chrono::minutes(5);
  std::array<pollfd, 2> open{pollfd{output.from, POLLIN, 0}, pollfd{errors.from, POLLIN, 0}};
  while (open[0].fd >= 0 || open[1].fd >= 0) {
    poll(open.data(), open.size(), 100);
    if (open[0].revents != 0 && !append(output.from, how.output)) open[0].fd = -1;
    if (open[1].revents != 0 && !append(errors.from, how.errors)) open[1].fd = -1;
    if (!sent && how.output.find(until) != std::string::npos) {
      kill(child, signal);
      sent = true;
    }
    if (std::chrono::steady_clock::now() > limit) kill(child, SIGKILL);
  }
  int status = 0;
  waitpid(child, &status, 0);
  how.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return how;
}

}  // namespace test
