export module autotunenet:checkpoint;

import autotunenet.standard;
import :archive;
import :generator;

export namespace autotunenet {

/// What an object knows, as bytes.
template <archivable Object>
[[nodiscard]] std::vector<std::byte> save(Object& object) {
  archive out;
  out(object);
  return out.release();
}

/// Puts back what `save` gave for an object that was made in the same way. Throws `checkpoint_error` for anything else;
/// the object is as it was then.
template <archivable Object>
void load(Object& object, std::span<std::byte const> bytes) {
  archive before;
  before(object);
  try {
    archive in(bytes);
    in(object);
    if (!in.at_end()) archive::refuse("goes on after its end");
  } catch (...) {
    archive back(before.bytes());
    back(object);
    throw;
  }
}

/// The same for a pipeline, with its search space: everything that its tuner and stages know. What a pipeline suggests
/// after a load is, bit for bit, what it would have suggested had it gone on, for the same observations, where both
/// were made from the same settings. Options are not saved, and only what follows from them is compared: the search
/// space, the kind of tuner, the stages and their order, and over how many values averages and tuners look back. All
/// else (seed, horizon, `max_delta`, patience, ...) may differ without a word: the run goes on under the options of the
/// pipeline here, and random numbers where they were. Under another horizon trials that are under way end as they
/// began, those that are over are not repeated, and those to come go by the horizon here; branches whose time it has
/// passed are left out. Only a warm-up or a cooldown under way that would be shorter here is refused. Nor do the bytes
/// carry a checksum of their own: `load` refuses what cannot be, but damage that still makes sense is only noticed in a
/// checkpoint (`encode`, `checkpoint_store`). Throws `checkpoint_error` where a part of the pipeline cannot be saved;
/// see `generator::fields`.
[[nodiscard]] std::vector<std::byte> save(suggestions& pipeline);
void load(suggestions& pipeline, std::span<std::byte const> bytes);

/// A named part of a checkpoint: the pipeline, the model, what the user adds.
struct checkpoint_part {
  std::string name;
  std::vector<std::byte> bytes;
};

/// What was read from a checkpoint file, whole and with the right checksums.
class checkpoint {
 public:
  /// @param name where it comes from, for messages
  checkpoint(std::string name, std::vector<checkpoint_part> parts) : name_(std::move(name)), parts_(std::move(parts)) {}

  std::string const& name() const noexcept { return name_; }
  std::span<checkpoint_part const> parts() const noexcept { return parts_; }
  bool contains(std::string_view part) const noexcept;
  /// Throws `checkpoint_error` where there is no such part.
  std::span<std::byte const> operator[](std::string_view part) const;

 private:
  std::string name_;
  std::vector<checkpoint_part> parts_;
};

/// The format, apart from files: a header with magic, version, names, sizes and checksums (CRC-64, ECMA-182), then the
/// parts, at most 1024, each of a name of its own, with a header of 16 MiB at most: `encode` throws `invalid_option`
/// otherwise. `decode` throws `checkpoint_error` for bytes that are not exactly what `encode` gave; `name` is for
/// messages.
[[nodiscard]] std::vector<std::byte> encode(std::span<checkpoint_part const> parts);
checkpoint decode(std::string name, std::span<std::byte const> bytes);

/// A place where checkpoints are kept: `file` is the newest one, `file.previous` the one before.
///
/// A checkpoint is written to `file.new`, brought to the disk, and renamed: whatever instant the process or the machine
/// stops at, one of the two is whole. It has the permissions of the one that it replaces. The newest becomes the one
/// before, unless it is damaged: then the one before stays. A store knows that from what it has read or written last;
/// before that, its first write reads the newest. A lock on `file.lock` keeps other writers away until the store is
/// destroyed. The place is the one that `file` names when the store is made, also where the process changes its folder
/// later. Not thread-safe.
class [[nodiscard]] checkpoint_store {
 public:
  /// Throws `checkpoint_error` where another store has the place, or the lock cannot be made.
  explicit checkpoint_store(std::filesystem::path file);
  checkpoint_store(checkpoint_store&& other) noexcept;
  checkpoint_store& operator=(checkpoint_store&& other) noexcept;
  ~checkpoint_store();

  /// Absolute.
  std::filesystem::path const& file() const noexcept { return file_; }
  std::filesystem::path previous_file() const;

  /// Throws `checkpoint_error` with the system's reason, or as `encode`; the checkpoints that there are stay whole
  /// then, and training may go on.
  void write(std::span<checkpoint_part const> parts);

  /// The newest checkpoint; nothing where there is none yet. Throws `checkpoint_error` where the newest is damaged, and
  /// says whether the previous one is whole.
  [[nodiscard]] std::optional<checkpoint> read() const;
  /// The one before; nothing where there is none. Throws `checkpoint_error` where it is damaged.
  [[nodiscard]] std::optional<checkpoint> read_previous() const;

 private:
  bool newest_is_whole() const;

  std::filesystem::path file_;
  int lock_ = -1;
  mutable std::optional<bool> newest_is_whole_;  // or not there
};

}  // namespace autotunenet

namespace autotunenet {

/// What stands before the parts in a checkpoint. Throws as `encode`.
std::vector<std::byte> header_of(std::span<checkpoint_part const> parts);

/// The largest header: so much of a file is read before anything is believed.
inline constexpr std::size_t largest_header = std::size_t{16} << 20;

struct checkpoint_header {
  struct part {
    std::string name;
    std::uint64_t size = 0;
    std::uint64_t sum = 0;

    /// Throws `checkpoint_error` where these are not the part's bytes; `from` is the checkpoint, for the message.
    void check(std::string_view from, std::span<std::byte const> bytes) const;
  };
  std::vector<part> parts;
  std::size_t size = 0;  // of the header itself
};

/// Reads it from the beginning of a checkpoint that has `total` bytes. Throws `checkpoint_error` as `decode`, also
/// where header and parts together have another size.
checkpoint_header read_header(std::string_view name, std::span<std::byte const> first, std::uint64_t total);

}  // namespace autotunenet
