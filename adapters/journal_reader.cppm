export module autotunenet.journal:reader;

import autotunenet.standard;
import autotunenet;

export namespace autotunenet {

/// A journal that cannot be read: the message begins with `file:line`.
class journal_error : public error {
 public:
  journal_error(std::string const& file, std::size_t line, std::string const& what);
  /// Counts from 1; 0 stands for the file as a whole.
  std::size_t line() const noexcept { return line_; }

 private:
  std::size_t line_;
};

struct journal_header {
  search_space space;
  std::uint64_t seed = 0;
  std::vector<std::pair<std::string, std::string>> metadata{};  ///< by name
};

/// One step of a run.
struct journal_entry {
  std::uint64_t number = 0;
  reason why = reason::start;
  event events = event::none;
  configuration suggested;
  /// Native values that really ran; empty: those suggested. NaN for a category that is none of the choices.
  std::vector<double> applied{};
  double metric = 0.0;
  outcome result = outcome::measured;
  double noise = 0.0;
  double steps = 1.0;
  coverage covers = coverage::unknown;
  double elapsed = 0.0;                                          ///< seconds since the journal was opened
  double validation = std::numeric_limits<double>::quiet_NaN();  ///< NaN: none was measured
};

struct journal_contents {
  journal_header header;  ///< the first run's
  std::vector<journal_entry> entries{};
  /// Where a later run went on: the index of its first entry.
  std::vector<std::size_t> continued_at{};
  /// The number of a last line that a kill left incomplete. It was dropped.
  std::optional<std::size_t> torn_line{};
};

struct journal_limits {
  std::size_t longest_line = std::size_t{1} << 20;  ///< bytes
  std::size_t most_entries = 10'000'000;
};

/// Reads what `journal` wrote. Every line is checked against the header's search space. Fields it does not know are
/// passed over. Throws `journal_error`, with the line, for anything else that is not a journal, or beyond the limits.
journal_contents read_journal(std::filesystem::path const& file, journal_limits const& limits = {});

/// What a new run can begin from, for `make_pipeline`. Of steps that were done again, after a resume from a checkpoint,
/// the last time counts. The run's horizon is what the metadata says under "horizon", where that is a whole number,
/// else the number of its steps.
earlier_run earlier_run_from(journal_contents const&);

/// Its first line alone.
journal_header read_journal_header(std::filesystem::path const& file);

}  // namespace autotunenet
