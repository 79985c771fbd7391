export module autotunenet:error;

import autotunenet.standard;

export namespace autotunenet {

/// Everything that this library throws of its own derives from `error`.
struct error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A search space, an option or a configuration that cannot be. The message names the key, the value and what is
/// allowed.
struct invalid_option : error {
  using error::error;
};

/// The ask-and-tell protocol was not kept: a tell without an ask, a second tell, an answer to another suggestion.
/// The tuner is as it was before the call.
struct protocol_error : error {
  using error::error;
};

/// Asked or told after the end: the tuner returned, threw, or was stopped.
struct tuning_finished : protocol_error {
  using protocol_error::protocol_error;
};

}  // namespace autotunenet
