export module autotunenet:stage;

import autotunenet.standard;
import :generator;
import :search_space;
import :trial;

namespace autotunenet {

/// Tells what was observed, with the steps that count. They are looked at wherever an object is told: observations that
/// a stage has merged may add up to more than there are numbers for.
template <class Tell>
void tell_counted(observation const& seen, Tell&& tell) {
  std::optional<observation> counted;
  if (!countable(seen.steps)) [[unlikely]]
    counted.emplace(seen).steps = counted_steps(seen.steps);
  tell(counted ? *counted : seen);
}

}  // namespace autotunenet

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
/// `void tell(observation const&)`, where `steps` are such as can be counted. With `void fields(archive&)` it can be
/// saved.
template <class Tuner>
suggestions drive(Tuner tuner, std::pmr::memory_resource* = nullptr) {
  for (;;) {
    observation const& seen = co_yield tuner.ask();
    tell_counted(seen, [&](observation const& counted) { tuner.tell(counted); });
  }
}

/// The same for a stage around a tuner.
///
/// `Stage` has `suggestion const& ask(suggestions& inner)` and `void tell(observation const&, suggestions& inner)`.
/// The stage ends when the inner tuner does.
template <class Stage>
suggestions drive(Stage stage, suggestions inner, std::pmr::memory_resource* = nullptr) {
  while (inner.poll()) {
    observation const& seen = co_yield stage.ask(inner);
    tell_counted(seen, [&](observation const& counted) { stage.tell(counted, inner); });
  }
}

}  // namespace autotunenet
