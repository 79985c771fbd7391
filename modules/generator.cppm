export module autotunenet:generator;

import autotunenet.standard;
import :archive;
import :error;
import :trial;

namespace autotunenet {

[[noreturn]] void refuse_answer(std::uint64_t answered, std::uint64_t pending);
[[noreturn]] void refuse_unasked();
[[noreturn]] void refuse_ask_after_end(bool moved_from);
[[noreturn]] void refuse_tell_after_end(bool moved_from);

// The frame remembers its memory resource behind its last byte, as std::generator does (P2502R2, "allocator support").
struct frame_memory {
  static constexpr std::size_t alignment = alignof(std::pmr::memory_resource*);
  static constexpr std::size_t tail(std::size_t size) { return (size + alignment - 1) / alignment * alignment; }

  static void* allocate(std::size_t size, std::pmr::memory_resource* memory) {
    void* frame = memory->allocate(tail(size) + sizeof memory, __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    std::memcpy(static_cast<std::byte*>(frame) + tail(size), &memory, sizeof memory);
    return frame;
  }
  static void deallocate(void* frame, std::size_t size) noexcept {
    std::pmr::memory_resource* memory = nullptr;
    std::memcpy(&memory, static_cast<std::byte*>(frame) + tail(size), sizeof memory);
    memory->deallocate(frame, tail(size) + sizeof memory, __STDCPP_DEFAULT_NEW_ALIGNMENT__);
  }
  template <class Argument>
  static void choose(std::pmr::memory_resource*& memory, Argument const& argument) {
    if constexpr (std::is_convertible_v<Argument const&, std::pmr::memory_resource*>) {
      if (argument) memory = argument;
    }
  }
};

}  // namespace autotunenet

export namespace autotunenet {

/// A coroutine that yields one type and is resumed with another: the protocol of this library.
///
///     generator<Yielded, Resumed> counting() {
///       for (Yielded next;; ++next) Resumed const& answer = co_yield next;
///     }
///
/// The promise keeps a pointer to what was yielded; nothing is copied and nothing allocated per step. The frame comes
/// from a `std::pmr::memory_resource*` among the coroutine's parameters, else from the default resource.
/// Where both types have a member `number`, an answer that carries one must carry the pending one.
///
/// An object with `fields` that the coroutine takes as its first parameter is what it knows, and what a checkpoint
/// saves; a generator as its second is the one that it wraps. `drive` makes such coroutines. An object that says
/// `static constexpr bool transparent = true` knows nothing: what is saved is the same without that coroutine.
///
/// Move-only. Not thread-safe: one conversation, one thread at a time.
template <class Yielded, class Resumed>
class [[nodiscard]] generator {
 public:
  class promise_type;

  generator(generator&& other) noexcept
      : frame_(std::exchange(other.frame_, nullptr)),
        asked_(other.asked_),
        moved_from_(std::exchange(other.moved_from_, true)),
        stop_(std::move(other.stop_)) {}
  generator& operator=(generator&& other) noexcept {
    if (this != &other) {
      close();
      frame_ = std::exchange(other.frame_, nullptr);
      asked_ = other.asked_;
      moved_from_ = std::exchange(other.moved_from_, true);
      stop_ = std::move(other.stop_);
    }
    return *this;
  }
  ~generator() { close(); }

  /// The pending suggestion: asking again gives the same one. The reference holds until the next `tell`.
  /// Throws `tuning_finished` after the end (as of one that was moved from), and whatever the coroutine throws before
  /// its first yield.
  Yielded const& ask() {
    if (Yielded const* yielded = poll()) return *yielded;
    refuse_ask_after_end(moved_from_);
  }

  /// As `ask`, but null after the end.
  [[nodiscard]] Yielded const* poll() {
    if (!open()) return nullptr;
    Yielded const* const pending = frame_.promise().yielded_;
    if (!pending) [[unlikely]]
      return begin_conversation();
    asked_ = true;
    return pending;
  }

  /// Answers the pending suggestion, and lets the coroutine run to its next one.
  /// Throws `protocol_error` without an ask, a second time, or for another suggestion; `tuning_finished` after the end;
  /// and whatever the coroutine throws, after which it has finished.
  void tell(Resumed const& answer) {
    if (!alive()) refuse_tell_after_end(moved_from_);
    accept(answer);
    resume();
  }
  /// A bare metric, where that makes a `Resumed`.
  void tell(double metric)
    requires requires { Resumed{.metric = metric}; }
  {
    tell(Resumed{.metric = metric});
  }

  /// Whether the coroutine returned, threw, or was stopped.
  [[nodiscard]] bool finished() noexcept { return !alive(); }

  /// From now on a stop request ends the conversation at the next ask or tell; the coroutine's frame is destroyed then.
  void stop_on(std::stop_token token) noexcept { stop_ = std::move(token); }

  /// Visits what this coroutine and those it wraps know. Asks first, so that a suggestion is pending both in what is
  /// saved and where it is loaded. For `save` and `load`, which keep the state where loading fails. What lies inside a
  /// coroutine that goes on is never ended here, neither by a stop request nor by what is read: a stage that goes on
  /// after the tuner inside it has ended is loaded where that has ended too. Throws `checkpoint_error` for a coroutine
  /// without such an object.
  void fields(archive& a) {
    bool const inside = a.is_inside();
    bool over = inside ? !goes_on() : poll() == nullptr;
    bool const over_here = over;
    a(over);
    if (over && !over_here) {
      if (inside) archive::refuse("is of a stage that goes on after the tuner inside it has ended; here that goes on");
      // Nothing can follow the end of a tuner; and what is closed could not come back if the rest were refused.
      if (!a.at_end()) archive::refuse("goes on after its end");
      close();
    }
    if (over) return;
    if (over_here) archive::refuse("is of a tuner that goes on, but this one has finished");
    frame_.promise().visit(a);
  }

  /// From another coroutine: `co_await tuner.next()` gives the pending suggestion, `co_await tuner.next(answer)`
  /// answers it and gives the following one. Control passes straight from coroutine to coroutine. Null after the end,
  /// also where the tuner was stopped or finished before an answer came. Throws otherwise as `ask` and `tell`.
  [[nodiscard("it does nothing until it is awaited by co_await")]] auto next() { return awaiting{*this, nullptr}; }
  [[nodiscard("it does nothing until it is awaited by co_await")]] auto next(Resumed const& answer) {
    return awaiting{*this, &answer};
  }

  /// Range-for over suggestions; the body answers each by `tell`, and the loop ends with the coroutine.
  class iterator {
   public:
    using value_type = Yielded;
    using difference_type = std::ptrdiff_t;
    explicit iterator(generator& from) : from_(&from) {}
    Yielded const& operator*() const { return from_->ask(); }
    iterator& operator++() { return *this; }
    void operator++(int) {}
    bool operator==(std::default_sentinel_t) const { return from_->poll() == nullptr; }

   private:
    generator* from_;
  };
  iterator begin() { return iterator{*this}; }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  using handle = std::coroutine_handle<promise_type>;

  struct awaiting {
    generator& tuner;
    Resumed const* answer;

    bool await_ready() {
      if (!tuner.alive()) return true;
      if (answer) tuner.accept(*answer);
      return tuner.frame_.promise().yielded_ != nullptr;
    }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiter) noexcept {
      tuner.frame_.promise().awaiter_ = awaiter;
      return tuner.frame_;
    }
    Yielded const* await_resume() {
      if (tuner.frame_) tuner.rethrow();
      return tuner.poll();
    }
  };

  explicit generator(handle frame) noexcept : frame_(frame) {}

  /// Whether there still is a frame. One that has run to its end is kept, and has nothing pending.
  bool open() noexcept {
    if (stop_.stop_requested()) [[unlikely]]
      close();
    return static_cast<bool>(frame_);
  }
  bool alive() noexcept { return open() && !frame_.done(); }
  Yielded const* begin_conversation() {
    if (frame_.done()) return nullptr;
    resume();
    asked_ = alive();
    return asked_ ? frame_.promise().yielded_ : nullptr;
  }
  /// Whether a suggestion is pending; asks for the first one, as `poll`, but is blind to stop requests.
  bool goes_on() {
    if (!frame_ || frame_.done()) return false;
    if (!frame_.promise().yielded_) resume();
    asked_ = !frame_.done();
    return asked_;
  }
  void close() noexcept {
    if (frame_) std::exchange(frame_, nullptr).destroy();
  }
  /// @pre the frame is there, and not done
  void accept(Resumed const& answer) {
    if (!asked_) refuse_unasked();
    promise_type& promise = frame_.promise();
    if constexpr (requires { answer.number == promise.yielded_->number; }) {
      if (answer.number != 0 && answer.number != promise.yielded_->number) {
        refuse_answer(answer.number, promise.yielded_->number);
      }
    }
    asked_ = false;
    promise.resumed_ = &answer;
    promise.yielded_ = nullptr;
  }
  void resume() {
    frame_.resume();
    rethrow();
  }
  void rethrow() {
    if (frame_.promise().thrown_) std::rethrow_exception(std::exchange(frame_.promise().thrown_, nullptr));
  }

  handle frame_;
  bool asked_ = false;
  bool moved_from_ = false;
  std::stop_token stop_;
};

template <class Yielded, class Resumed>
class generator<Yielded, Resumed>::promise_type {
 public:
  promise_type() = default;
  template <archivable State, class... Others>
  explicit promise_type(State& state, Others&... others)
      : state_(&state),
        fields_([](void* object, archive& a) { static_cast<State*>(object)->fields(a); }),
        transparent_(requires { requires State::transparent; }) {
    (find_inner(others), ...);
  }

  generator get_return_object() noexcept { return generator{handle::from_promise(*this)}; }
  std::suspend_always initial_suspend() const noexcept { return {}; }

  /// Back to whoever awaits, if anyone does.
  struct hand_over {
    promise_type& promise;
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(handle) const noexcept {
      return std::exchange(promise.awaiter_, std::noop_coroutine());
    }
    Resumed const& await_resume() const noexcept { return *promise.resumed_; }
  };
  hand_over yield_value(Yielded const& value) noexcept {
    yielded_ = &value;
    return {*this};
  }
  hand_over final_suspend() noexcept {
    yielded_ = nullptr;
    return {*this};
  }
  void return_void() const noexcept {}
  void unhandled_exception() noexcept { thrown_ = std::current_exception(); }
  /// A tuner only yields: it has nothing to wait for.
  template <class Awaitable>
  void await_transform(Awaitable&&) = delete;

  template <class... Arguments>
  static void* operator new(std::size_t size, Arguments const&... arguments) {
    std::pmr::memory_resource* memory = std::pmr::get_default_resource();
    (frame_memory::choose(memory, arguments), ...);
    return frame_memory::allocate(size, memory);
  }
  static void operator delete(void* frame, std::size_t size) noexcept { frame_memory::deallocate(frame, size); }

 private:
  friend generator;

  void find_inner(generator& wrapped) noexcept { inner_ = &wrapped; }
  template <class Other>
  void find_inner(Other const&) noexcept {}
  void visit(archive& a) {
    if (!fields_) {
      throw checkpoint_error(
          "a tuner or stage in this pipeline keeps what it knows in its coroutine, which cannot be saved: keep it in "
          "an "
          "object that has `fields`, and `drive` that");
    }
    if (transparent_ && inner_ && inner_->goes_on()) return inner_->frame_.promise().visit(a);
    a.inside([&] {
      fields_(state_, a);
      if (inner_) inner_->fields(a);
    });
  }

  Yielded const* yielded_ = nullptr;
  Resumed const* resumed_ = nullptr;
  std::coroutine_handle<> awaiter_ = std::noop_coroutine();
  std::exception_ptr thrown_;
  void* state_ = nullptr;
  void (*fields_)(void*, archive&) = nullptr;
  generator* inner_ = nullptr;
  bool transparent_ = false;
};

/// The type of every tuner and every stage.
using suggestions = generator<suggestion, observation>;

}  // namespace autotunenet
