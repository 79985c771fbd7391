#include "workers.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <vector>

namespace training {

namespace {

struct child {
  pid_t process;
  int from;
  std::size_t index;
  std::string text;
};

[[noreturn]] void be_child(int to, std::size_t index, std::function<std::string(std::size_t)> const& work) {
  int status = 0;
  try {
    auto const text = work(index);
    for (std::size_t sent = 0; sent < text.size();) {
      auto const n = ::write(to, text.data() + sent, text.size() - sent);
      if (n <= 0) ::_exit(1);
      sent += static_cast<std::size_t>(n);
    }
  } catch (std::exception const& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    status = 1;
  } catch (...) {
    status = 1;
  }
  ::_exit(status);
}

child start(std::size_t index, std::function<std::string(std::size_t)> const& work) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) throw std::runtime_error("No pipe to a worker could be made.");
  pid_t const process = ::fork();
  if (process < 0) throw std::runtime_error("No worker could be started.");
  if (process == 0) {
    ::close(ends[0]);
    ::signal(SIGINT, SIG_IGN);
    be_child(ends[1], index, work);
  }
  ::close(ends[1]);
  return {process, ends[0], index, {}};
}

// Reads what there is; gives whether the child has said all.
bool read_some(child& from) {
  std::array<char, 65536> block;
  auto const n = ::read(from.from, block.data(), block.size());
  if (n > 0) from.text.append(block.data(), static_cast<std::size_t>(n));
  return n == 0 || (n < 0 && errno != EINTR);
}

}  // namespace

void in_processes(std::size_t count, std::size_t at_once, std::function<std::string(std::size_t)> const& work,
                  std::function<void(std::size_t, std::string const&)> const& done, std::function<bool()> const& stop) {
  std::vector<child> running;
  std::size_t next = 0;
  while ((next < count && !stop()) || !running.empty()) {
    if (stop())
      for (auto const& c : running) ::kill(c.process, SIGKILL);
    while (running.size() < std::max<std::size_t>(1, at_once) && next < count && !stop())
      running.push_back(start(next++, work));

    std::vector<pollfd> ready;
    for (auto const& c : running) ready.push_back({c.from, POLLIN, 0});
    ::poll(ready.data(), ready.size(), 200);
    for (std::size_t i = ready.size(); i-- > 0;) {
      if (ready[i].revents == 0 || !read_some(running[i])) continue;
      auto finished = std::move(running[i]);
      running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
      ::close(finished.from);
      int status = 0;
      ::waitpid(finished.process, &status, 0);
      bool const well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
      if (!stop()) done(finished.index, well ? finished.text : std::string());
    }
  }
}

}  // namespace training
