#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

/// The least a coroutine needs to be run to its end and give a value. Programs with a coroutine library of their own
/// (Asio, cppcoro, stdexec) use its task type instead.
template <class Value>
class task {
 public:
  struct promise_type {
    task get_return_object() { return task{handle::from_promise(*this)}; }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    void return_value(Value value) { result = std::move(value); }
    void unhandled_exception() noexcept { thrown = std::current_exception(); }

    std::optional<Value> result;
    std::exception_ptr thrown;
  };

  task(task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  task& operator=(task&&) = delete;
  ~task() {
    if (frame_) frame_.destroy();
  }

  /// Runs the coroutine until it returns, and rethrows what it threw.
  Value run() {
    while (!frame_.done()) frame_.resume();
    if (frame_.promise().thrown) std::rethrow_exception(frame_.promise().thrown);
    return std::move(*frame_.promise().result);
  }

 private:
  using handle = std::coroutine_handle<promise_type>;
  explicit task(handle frame) noexcept : frame_(frame) {}

  handle frame_;
};
