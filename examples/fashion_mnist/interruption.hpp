#pragma once

#include <csignal>
#include <stop_token>
#include <thread>

/// Turns the first SIGINT or SIGTERM into a stop request; the second ends the program at once. One at a time.
class interruption {
 public:
  interruption();
  interruption(interruption const&) = delete;
  interruption& operator=(interruption const&) = delete;
  ~interruption();

  std::stop_token token() const noexcept { return stop_.get_token(); }
  /// The signal that came, or 0.
  int signal() const noexcept;

 private:
  void wait(std::stop_token over);

  struct sigaction before_interrupt_ = {};
  struct sigaction before_terminate_ = {};
  std::stop_source stop_;
  std::jthread waiting_;
};
