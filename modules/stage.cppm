export module autotunenet:stage;

import autotunenet.standard;
import :generator;
import :search_space;
import :trial;

export namespace autotunenet {

/// Anything that turns one tuner into another.
template <class Stage>
concept stage =
    std::invocable<Stage, suggestions> && std::same_as<std::invoke_result_t<Stage, suggestions>, suggestions>;

/// `tuner | stage`: the stage owns the tuner from then on.
template <stage Stage>
suggestions operator|(suggestions tuner, Stage&& wrap) {
  return std::forward<Stage>(wrap)(std::move(tuner));
}

/// Turns a plain object into a tuner. What a tuner knows lives in the object, which tests and checkpoints can reach;
/// the coroutine only carries the conversation.
///
/// `Tuner` has `suggestion const& ask()`, called once per step, which always refers to the same object, and
/// `void tell(observation const&)`. With `void fields(archive&)` it can be saved.
template <class Tuner>
suggestions drive(Tuner tuner, std::pmr::memory_resource* = nullptr) {
  for (;;) tuner.tell(co_yield tuner.ask());
}

/// The same for a stage around a tuner.
///
/// `Stage` has `suggestion const& ask(suggestions& inner)` and `void tell(observation const&, suggestions& inner)`.
/// The stage ends when the inner tuner does.
template <class Stage>
suggestions drive(Stage stage, suggestions inner, std::pmr::memory_resource* = nullptr) {
  while (inner.poll()) stage.tell(co_yield stage.ask(inner), inner);
}

}  // namespace autotunenet
