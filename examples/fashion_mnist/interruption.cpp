#include "interruption.hpp"

#include <cstdlib>
#include <ctime>

interruption::interruption() {
  sigemptyset(&signals_);
  sigaddset(&signals_, SIGINT);
  sigaddset(&signals_, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  waiting_ = std::jthread([this](std::stop_token over) { wait(over); });
}

// A handler may hardly do anything; a thread that waits for the signal may.
void interruption::wait(std::stop_token over) {
  timespec const moment{.tv_sec = 0, .tv_nsec = 50'000'000};
  while (!over.stop_requested()) {
    int const came = sigtimedwait(&signals_, nullptr, &moment);
    if (came <= 0) continue;
    if (signal_ != 0) std::_Exit(128 + came);
    signal_ = came;
    stop_.request_stop();
  }
}
