#pragma once

#include <csignal>
#include <stop_token>
#include <thread>

/// Turns the first SIGINT or SIGTERM into a stop request; the second ends the program at once.
/// Make it before any other thread: the signals are blocked in this thread and in those that it starts from then on.
class interruption {
 public:
  interruption();
  interruption(interruption const&) = delete;
  interruption& operator=(interruption const&) = delete;

  std::stop_token token() const noexcept { return stop_.get_token(); }
  /// The signal that came, or 0.
  int signal() const noexcept { return stop_.stop_requested() ? signal_ : 0; }

 private:
  void wait(std::stop_token over);

  sigset_t signals_;
  int signal_ = 0;
  std::stop_source stop_;
  std::jthread waiting_;
};
