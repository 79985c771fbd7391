#include "interruption.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <stop_token>
#include <thread>

namespace {

std::atomic<int> came = 0;
static_assert(std::atomic<int>::is_always_lock_free);

// Any thread may be the one to run it, those of a linear-algebra library included; it may hardly do anything.
extern "C" void note(int signal) {
  if (came.exchange(signal) != 0) std::_Exit(128 + signal);
}

}  // namespace

interruption::interruption() {
  came = 0;
  struct sigaction action = {};
  action.sa_handler = note;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, &before_interrupt_);
  sigaction(SIGTERM, &action, &before_terminate_);
  waiting_ = std::jthread([this](std::stop_token over) { wait(over); });
}

interruption::~interruption() {
  sigaction(SIGINT, &before_interrupt_, nullptr);
  sigaction(SIGTERM, &before_terminate_, nullptr);
}

int interruption::signal() const noexcept { return came; }

void interruption::wait(std::stop_token over) {
  while (!over.stop_requested() && came == 0) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  if (came != 0) stop_.request_stop();
}
