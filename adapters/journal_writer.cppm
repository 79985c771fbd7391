export module autotunenet.journal:writer;

import autotunenet.standard;
import autotunenet;

export namespace autotunenet {

struct journal_options {
  /// Goes on with a journal of the same search space; what a kill left of its last line is cut off. Where that is all
  /// there is, or nothing, it begins. Without it a file that exists is an error, and stays as it is.
  bool append = false;
  std::uint64_t seed = 0;
  /// What the user wants to find again: names and values, UTF-8. Together with the space at most what a line may hold
  /// (`journal_limits::longest_line`).
  std::vector<std::pair<std::string, std::string>> metadata{};
};

/// Writes a run as JSON Lines: a header, then a line for each observation, with the suggestion that it answers.
///
///     {"format":"autotunenet journal","version":1,"space":[...],"seed":7,"metadata":{...}}
///     {"number":12,"why":"exploit","events":["clamped"],"suggested":{"lr":0.001},"applied":{"lr":0.002},
///      "metric":0.5,"result":"measured","noise":0.0,"steps":1,"elapsed":3.25,"covers":"step"}
///
/// Values go by parameter name, a category by its word or number; `applied` is there where it differs, `covers`
/// where it is known, `validation` where it was measured. Numbers read back exactly; "nan", "inf" and "-inf" are
/// strings. `elapsed` counts seconds since the journal was opened. Each line reaches the operating system before
/// training goes on, in one piece: only a kill can tear the last.
///
/// What fails while training runs (a full disk) is kept in `error()`; then nothing more is written, whole lines stay,
/// and training goes on. A step allocates nothing once a line of its length was written. Not thread-safe.
class journal : public observer {
 public:
  /// Throws `invalid_option`: the file exists and `append` is not set; it is no journal, or one of another space; text
  /// that is not UTF-8. Throws `error` where the file cannot be opened, locked or written, or another process writes
  /// it; one that was not there before is not there then.
  journal(std::filesystem::path const& file, search_space const& space, journal_options const& options = {});
  ~journal() override;

  void suggested(suggestion const&) override;
  void observed(suggestion const&, observation const&) override;

  /// The first failure, in words.
  std::optional<std::string> const& error() const noexcept;
  /// Lines written by this object, beside the header.
  std::uint64_t lines() const noexcept;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace autotunenet
