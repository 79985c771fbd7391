export module autotunenet:archive;

import autotunenet.standard;
import :error;
import :search_space;
import :trial;

export namespace autotunenet {

/// What was saved cannot be put back: it is damaged, of another version, or of something else. The message says which.
/// What was to be loaded is as it was.
struct checkpoint_error : error {
  using error::error;
};

class archive;

/// A class whose members an archive can visit. One function writes them and puts them back:
///
///     void fields(archive& a) { a.section("mine"); a(count); a(values); a.below(next, values.size()); }
template <class T>
concept archivable = requires(T& object, archive& a) { object.fields(a); };

/// Visits what an object knows, to write it down or to put it back. Numbers are kept bit for bit.
///
/// What is read is not trusted: a size that the rest of the bytes cannot hold, an index that points outside, a word
/// that is not there throw `checkpoint_error`. An object that was being read then is half read: whoever loads keeps
/// what there was, as `load` does. Reading back what an object held a moment ago allocates nothing, so that this way
/// back is open even where memory has run out.
class archive {
 public:
  /// Writes.
  archive() = default;
  /// Reads from these bytes, which must outlive it.
  explicit archive(std::span<std::byte const> from) : from_(from), reading_(true) {}

  bool reading() const noexcept { return reading_; }
  /// What was written.
  std::span<std::byte const> bytes() const noexcept { return written_; }
  /// The same, given away: the archive is empty then.
  std::vector<std::byte> release() noexcept { return std::exchange(written_, {}); }
  /// Before much is written: without it what was written moves as it grows, and lies in memory twice meanwhile.
  void reserve(std::size_t more) {
    if (!reading_) written_.reserve(written_.size() + more);
  }
  /// Bytes read so far.
  std::size_t position() const noexcept { return at_; }
  /// Whether everything was read.
  bool at_end() const noexcept { return at_ == from_.size(); }
  /// Visits what lies inside a coroutine that goes on, and may refer to all of it.
  template <class Visit>
  void inside(Visit&& visit) {
    bool const before = std::exchange(inside_, true);
    visit();
    inside_ = before;
  }
  /// Whether that is what is being visited.
  bool is_inside() const noexcept { return inside_; }

  /// A name, which must be the same in what is read: tells one kind of object from another.
  void section(std::string_view name);

  template <class T>
    requires(std::is_arithmetic_v<T> || std::is_enum_v<T>)
  archive& operator()(T& value) {
    if constexpr (std::same_as<T, bool>) {
      std::uint8_t byte = value ? 1 : 0;
      raw(&byte, 1);
      if (byte > 1) refuse("is neither true nor false where it must be one of them");
      value = byte == 1;
    } else {
      raw(&value, sizeof value);
    }
    return *this;
  }
  /// A number that indexes something, or counts what is bounded. Throws unless it is below `limit`.
  template <std::integral T>
  archive& below(T& value, std::size_t limit) {
    (*this)(value);
    if (reading_ && std::cmp_less(value, 0)) refuse("holds a negative number where it cannot be one");
    if (reading_ && !std::cmp_less(value, limit)) refuse_number(static_cast<std::uint64_t>(value), limit);
    return *this;
  }
  /// A number or an enumeration that lies between two others, both included; never NaN.
  template <class T>
  archive& between(T& value, T lowest, T highest) {
    (*this)(value);
    if (reading_ && !(value >= lowest && value <= highest)) refuse("holds a value outside its bounds");
    return *this;
  }
  /// A number that an option limits, by whose name the message of the `checkpoint_error` calls it.
  archive& at_most(std::size_t& value, std::size_t limit, std::string_view option);
  /// An option that must be the same in what is read.
  archive& same_option(std::size_t here, std::string_view option);
  template <class T>
  archive& operator()(std::optional<T>& value) {
    bool present = value.has_value();
    (*this)(present);
    if (!present)
      value.reset();
    else if (!value)
      value.emplace();
    if (value) (*this)(*value);
    return *this;
  }
  archive& operator()(std::string& text) {
    text.resize(length(text.size(), 1));
    raw(text.data(), text.size());
    return *this;
  }
  template <class T>
  archive& operator()(std::vector<T>& values) {
    std::size_t const size = length(values.size(), std::is_arithmetic_v<T> || std::is_enum_v<T> ? sizeof(T) : 1);
    if (reading_) values.resize(size);
    each(values);
    return *this;
  }
  template <class T, std::size_t size>
  archive& operator()(std::array<T, size>& values) {
    each(values);
    return *this;
  }
  template <archivable T>
  archive& operator()(T& object) {
    object.fields(*this);
    return *this;
  }
  /// Values whose number is fixed by what they belong to; another number throws.
  template <class T>
  archive& same_size(T&& values) {
    std::uint64_t size = values.size();
    (*this)(size);
    if (size != values.size()) refuse_count(size, values.size());
    each(values);
    return *this;
  }
  /// A configuration of the space that the object already has.
  archive& operator()(configuration& values);
  archive& operator()(suggestion& all);
  /// Bytes as they are, of a number that both sides know.
  void block(void* data, std::size_t size) { raw(data, size); }
  /// Before memory is taken for what is read: throws where fewer bytes than that are left.
  void expect(std::uint64_t size) const {
    if (reading_ && size > from_.size() - at_) refuse_size();
  }
  /// The space must be the same in what is read; the message of the `checkpoint_error` names the first parameter that
  /// is not.
  archive& same(search_space const& space);

  [[noreturn]] static void refuse(std::string_view why);

 private:
  // The number of elements that follow, each of at least `least` bytes.
  std::size_t length(std::size_t size, std::size_t least) {
    std::uint64_t stored = size;
    (*this)(stored);
    if (reading_ && stored > (from_.size() - at_) / least) refuse_size();
    return static_cast<std::size_t>(stored);
  }
  template <class Values>
  void each(Values& values) {
    using value = std::remove_cvref_t<decltype(values[0])>;
    if constexpr (std::is_arithmetic_v<value> && !std::same_as<value, bool> && requires { values.data(); }) {
      raw(values.data(), values.size() * sizeof(value));
    } else if constexpr (std::same_as<value, bool> || !std::is_reference_v<decltype(values[0])>) {
      for (std::size_t i = 0; i < values.size(); ++i) {
        bool one = values[i];
        (*this)(one);
        values[i] = one;
      }
    } else {
      for (auto& one : values) (*this)(one);
    }
  }
  void raw(void* data, std::size_t size) {
    static_assert(std::endian::native == std::endian::little, "archives are written in little-endian order");
    if (size == 0) return;
    if (!reading_) {
      auto const* const first = static_cast<std::byte const*>(data);
      written_.insert(written_.end(), first, first + size);
      return;
    }
    if (from_.size() - at_ < size) refuse("is damaged: it ends too early");
    std::memcpy(data, from_.data() + at_, size);
    at_ += size;
  }
  [[noreturn]] static void refuse_number(std::uint64_t number, std::size_t limit);
  [[noreturn]] static void refuse_count(std::uint64_t given, std::size_t wanted);
  [[noreturn]] static void refuse_size();

  std::vector<std::byte> written_;
  std::span<std::byte const> from_;
  std::size_t at_ = 0;
  bool reading_ = false;
  bool inside_ = false;
};

}  // namespace autotunenet
