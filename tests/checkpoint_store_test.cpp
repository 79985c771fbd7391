#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <format>
#include <fstream>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "support/folder.hpp"
#include "support/storage_faults.hpp"

import autotunenet;

using namespace autotunenet;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;

namespace {

std::vector<std::byte> bytes_of(std::string const& text) {
  auto const* const first = reinterpret_cast<std::byte const*>(text.data());
  return {first, first + text.size()};
}
std::vector<checkpoint_part> parts_of(std::string const& text) {
  return {{"pipeline", bytes_of(text)}, {"empty", {}}, {"user", bytes_of("place " + text)}};
}
std::string text_of(std::optional<checkpoint> const& from) {
  if (!from) return "nothing";
  auto const bytes = (*from)["pipeline"];
  return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}

std::string file_text(std::filesystem::path const& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void write_text(std::filesystem::path const& file, std::string const& text) {
  std::ofstream(file, std::ios::binary) << text;
}

}  // namespace

TEST_CASE("a checkpoint reads back as it was written, and the two newest are kept") {
  test::folder const place;
  checkpoint_store store(place / "run.checkpoint");
  CHECK_FALSE(store.read());
  CHECK_FALSE(store.read_previous());
  for (auto const* text : {"one", "two", "three"}) store.write(parts_of(text));
  CHECK(text_of(store.read()) == "three");
  CHECK(text_of(store.read_previous()) == "two");
  auto const newest = store.read();
  CHECK(newest->contains("empty"));
  CHECK((*newest)["empty"].empty());
  CHECK_FALSE(newest->contains("model"));
  CHECK_THROWS_MATCHES((*newest)["model"], checkpoint_error, MessageMatches(ContainsSubstring("no part \"model\"")));
  CHECK_FALSE(std::filesystem::exists(place / "run.checkpoint.new"));
}

TEST_CASE("what is no file is refused as a checkpoint, when the store is made and when it writes, and is left alone") {
  test::folder const place;
  auto const check = [&](char const* ending, auto const& make, std::string const& what) {
    std::filesystem::path const own = place / (std::string("run") + ending);
    auto const refused = ContainsSubstring(own.string() + ": is " + what + ", not a file");
    INFO(own.string() << " is " << what);
    std::filesystem::remove(own);
    make(own);
    auto const type = std::filesystem::status(own).type();
    CHECK_THROWS_MATCHES(checkpoint_store(place / "run"), checkpoint_error, MessageMatches(refused));
    CHECK(std::filesystem::status(own).type() == type);
    std::filesystem::remove(own);

    checkpoint_store store(place / "run");
    std::filesystem::remove(own);
    make(own);
    CHECK_THROWS_MATCHES(store.write(parts_of("one")), checkpoint_error, MessageMatches(refused));
    CHECK(std::filesystem::status(own).type() == type);
    std::filesystem::remove(own);
  };
  auto const pipe = [](std::filesystem::path const& at) { REQUIRE(::mkfifo(at.c_str(), 0600) == 0); };
  auto const folder = [](std::filesystem::path const& at) { REQUIRE(std::filesystem::create_directory(at)); };
  for (auto const* ending : {"", ".previous", ".new", ".lock"}) {
    check(ending, pipe, "a pipe");
    check(ending, folder, "a folder");
  }
}

TEST_CASE("a checkpoint that is a link to a file is kept where the link leads, and one that leads nowhere is refused") {
  test::folder const place;
  std::filesystem::create_directory(place / "disk");
  write_text(place / "disk" / "target", "");
  std::filesystem::create_symlink(place / "disk" / "target", place / "run");
  checkpoint_store store(place / "run");
  store.write(parts_of("one"));
  CHECK(std::filesystem::is_symlink(place / "run"));
  CHECK(text_of(store.read()) == "one");
  CHECK(store.file() == std::filesystem::canonical(place / "disk" / "target"));
  CHECK_THROWS_MATCHES(checkpoint_store(place / "disk" / "target"), checkpoint_error,
                       MessageMatches(ContainsSubstring("another run is writing it")));
  std::filesystem::create_symlink(place / "nothing", place / "broken");
  CHECK_THROWS_MATCHES(checkpoint_store(place / "broken"), checkpoint_error,
                       MessageMatches(ContainsSubstring("is a link that leads nowhere")));
}

TEST_CASE("a checkpoint with any byte changed, cut off anywhere, or with more behind it is refused") {
  std::vector<std::byte> const good = encode(parts_of("a tuner"));
  CHECK(text_of(decode("good", good)) == "a tuner");
  for (std::size_t i = 0; i < good.size(); ++i) {
    INFO("byte " << i);
    for (int bit = 0; bit < 8; ++bit) {
      std::vector<std::byte> bad = good;
      bad[i] ^= static_cast<std::byte>(1 << bit);
      CHECK_THROWS_AS(decode("bad", bad), checkpoint_error);
    }
    CHECK_THROWS_AS(decode("short", std::span(good).first(i)), checkpoint_error);
  }
  std::vector<std::byte> longer = good;
  longer.push_back({});
  CHECK_THROWS_MATCHES(decode("run", longer), checkpoint_error,
                       MessageMatches(ContainsSubstring("checkpoint run: goes on after its end")));
}

TEST_CASE("what is no checkpoint, or one of another version, says so") {
  auto const refusal = [](std::vector<std::byte> const& bytes) -> std::string {
    try {
      decode("run", bytes);
    } catch (checkpoint_error const& why) {
      return why.what();
    }
    return "accepted";
  };
  CHECK_THAT(refusal({}), ContainsSubstring("checkpoint run: is no checkpoint"));
  CHECK_THAT(refusal(bytes_of("{\"format\":\"autotunenet journal\",\"version\":1}")),
             ContainsSubstring("no checkpoint"));
  std::vector<std::byte> newer = encode(parts_of("x"));
  std::byte& version = newer[8 + std::string_view("autotunenet checkpoint").size()];
  int const known = std::to_integer<int>(version);
  version = static_cast<std::byte>(known + 1);
  CHECK_THAT(refusal(newer),
             ContainsSubstring(std::format("is of version {}; this library reads version {}", known + 1, known)));
  std::vector<std::byte> huge(200, std::byte{0xff});
  CHECK_THAT(refusal(huge), ContainsSubstring("no checkpoint"));
}

TEST_CASE("a damaged checkpoint names the one before, where that is whole") {
  test::folder const place;
  checkpoint_store store(place / "run");
  store.write(parts_of("one"));
  store.write(parts_of("two"));
  std::string text = file_text(place / "run");
  text[text.size() - 1] ^= 1;
  write_text(place / "run", text);
  CHECK_THROWS_MATCHES(store.read(), checkpoint_error,
                       MessageMatches(ContainsSubstring("part \"user\" does not match its checksum") &&
                                      ContainsSubstring("run.previous, is whole")));
  CHECK(text_of(store.read_previous()) == "one");
  write_text(place / "run.previous", "");
  CHECK_THROWS_MATCHES(store.read(), checkpoint_error, MessageMatches(ContainsSubstring("no whole one before it")));
}

TEST_CASE("a damaged checkpoint never takes the place of the whole one before it") {
  using support::storage_faults;
  for (bool const known : {false, true}) {
    // Killed in place of any system call, after the last one not at all.
    for (int nth = 0; nth < 20; ++nth) {
      INFO((known ? "found out by reading" : "not read before") << ", killed at call " << nth);
      test::folder const place;
      {
        checkpoint_store store(place / "run");
        store.write(parts_of("one"));
        store.write(parts_of("two"));
      }
      std::filesystem::resize_file(place / "run", 40);
      pid_t const child = fork();
      if (child == 0) {
        checkpoint_store store(place / "run");
        try {
          if (known) (void)store.read();
        } catch (checkpoint_error const&) {
        }
        storage_faults::die_at(nth);
        store.write(parts_of("three"));
        _exit(0);
      }
      int status = 0;
      REQUIRE(waitpid(child, &status, 0) == child);
      checkpoint_store store(place / "run");
      CHECK(text_of(store.read_previous()) == "one");
      std::string newest = "damaged";
      try {
        newest = text_of(store.read());
      } catch (checkpoint_error const&) {
      }
      CHECK((newest == "three" || (newest == "damaged" && !WIFEXITED(status))));
      store.write(parts_of("four"));
      CHECK(text_of(store.read()) == "four");
      CHECK(text_of(store.read_previous()) == (newest == "three" ? "three" : "one"));
    }
  }
}

TEST_CASE("a damaged checkpoint that cannot be replaced leaves the one before in its place") {
  using support::storage_faults;
  test::folder const place;
  checkpoint_store store(place / "run");
  store.write(parts_of("one"));
  store.write(parts_of("two"));
  write_text(place / "run", "torn");
  CHECK_THROWS_AS(store.read(), checkpoint_error);
  storage_faults::fail(storage_faults::call::rename, 0, EIO);
  CHECK_THROWS_MATCHES(store.write(parts_of("three")), checkpoint_error,
                       MessageMatches(ContainsSubstring("Input/output error")));
  storage_faults::end();
  CHECK(text_of(store.read_previous()) == "one");
  CHECK_FALSE(std::filesystem::exists(place / "run.new"));
}

TEST_CASE("where a write stopped between its two renames, the one before is read") {
  test::folder const place;
  checkpoint_store store(place / "run");
  store.write(parts_of("one"));
  std::filesystem::rename(place / "run", place / "run.previous");
  write_text(place / "run.new", "torn");
  CHECK(text_of(store.read()) == "one");
  store.write(parts_of("two"));
  CHECK(text_of(store.read()) == "two");
}

TEST_CASE("two runs cannot write one checkpoint, and the place is free again when the first is gone") {
  test::folder const place;
  auto const taken = ContainsSubstring("another run is writing it");
  {
    checkpoint_store first(place / "run");
    CHECK_THROWS_MATCHES(checkpoint_store(place / "run"), checkpoint_error, MessageMatches(taken));
    checkpoint_store moved = std::move(first);
    CHECK_THROWS_MATCHES(checkpoint_store(place / "run"), checkpoint_error, MessageMatches(taken));
    CHECK_NOTHROW(checkpoint_store(place / "other"));
  }
  CHECK_NOTHROW(checkpoint_store(place / "run"));
  CHECK_THROWS_MATCHES(checkpoint_store(place / "missing" / "run"), checkpoint_error,
                       MessageMatches(ContainsSubstring("No such file")));
}

TEST_CASE("a place that cannot be locked is refused with the system's reason") {
  using support::storage_faults;
  test::folder const place;
  storage_faults::fail(storage_faults::call::flock, 0, ENOLCK);
  CHECK_THROWS_MATCHES(
      checkpoint_store(place / "run"), checkpoint_error,
      MessageMatches(ContainsSubstring("run.lock: cannot be locked: ") && ContainsSubstring("No locks available")));
  storage_faults::end();
}

TEST_CASE("a store stays where it was made, with its lock, wherever the process goes") {
  test::folder const place, elsewhere;
  auto const here = std::filesystem::current_path();
  std::filesystem::current_path(place.path());
  checkpoint_store store("run");
  CHECK(store.file().is_absolute());
  std::filesystem::current_path(elsewhere.path());
  store.write(parts_of("one"));
  store.write(parts_of("two"));
  CHECK(text_of(store.read()) == "two");
  CHECK(text_of(store.read_previous()) == "one");
  std::filesystem::current_path(here);
  CHECK(std::filesystem::is_empty(elsewhere.path()));
  CHECK(std::filesystem::exists(place / "run"));
  CHECK_THROWS_AS(checkpoint_store(""), checkpoint_error);
}

TEST_CASE("whichever system call of a write fails, the error says why and a whole checkpoint stays") {
  using support::storage_faults;
  for (auto const call : {storage_faults::call::open, storage_faults::call::write, storage_faults::call::fsync,
                          storage_faults::call::close, storage_faults::call::rename}) {
    for (int const error : {ENOSPC, EIO}) {
      for (int nth = 0; nth < 4; ++nth) {
        INFO("call " << static_cast<int>(call) << " number " << nth << ", error " << error);
        test::folder const place;
        checkpoint_store store(place / "run");
        store.write(parts_of("one"));
        store.write(parts_of("two"));
        storage_faults::fail(call, nth, error);
        std::string why;
        try {
          store.write(parts_of("three"));
        } catch (checkpoint_error const& failure) {
          why = failure.what();
        }
        // The second close is that of the folder, which was only looked at.
        bool const failed = storage_faults::end() && !(call == storage_faults::call::close && nth == 1);
        CHECK(failed == !why.empty());
        std::string const kept = text_of(store.read());
        // A folder that cannot be synchronised comes after the new one is in place.
        CHECK((kept == (failed ? "two" : "three") ||
               (failed && kept == "three" && why.find("power failure") != std::string::npos)));
        if (failed) CHECK_THAT(why, ContainsSubstring(error == EIO ? "Input/output error" : "No space left"));
        store.write(parts_of("four"));
        CHECK(text_of(store.read()) == "four");
      }
    }
  }
}

TEST_CASE("a write that is interrupted or takes only a part at a time is completed") {
  test::folder const place;
  checkpoint_store store(place / "run");
  support::storage_faults::dribble(true);
  store.write(parts_of("one"));
  support::storage_faults::dribble(false);
  CHECK(text_of(store.read()) == "one");
}

TEST_CASE("a checkpoint has the permissions of the one that it replaces") {
  test::folder const place;
  auto const mode = [&](char const* name) { return std::filesystem::status(place / name).permissions(); };
  auto const owner_only = std::filesystem::perms::owner_read | std::filesystem::perms::owner_write;
  checkpoint_store store(place / "run");
  store.write(parts_of("one"));
  REQUIRE(mode("run") != owner_only);
  std::filesystem::permissions(place / "run", owner_only);
  write_text(place / "run.new", "torn");
  store.write(parts_of("two"));
  CHECK(mode("run") == owner_only);
  CHECK(mode("run.previous") == owner_only);
  std::filesystem::remove(place / "run");
  store.write(parts_of("three"));
  CHECK(mode("run") == owner_only);
}

TEST_CASE("a process that is killed at any system call of a write leaves a whole checkpoint") {
  using support::storage_faults;
  test::folder const place;
  for (int nth = 0; nth < 20; ++nth) {
    std::string const before = std::format("before {}", nth), after = std::format("after {}", nth);
    {
      checkpoint_store(place / "run").write(parts_of(before));
    }
    pid_t const child = fork();
    if (child == 0) {
      checkpoint_store store(place / "run");
      storage_faults::die_at(nth);
      store.write(parts_of(after));
      _exit(0);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    checkpoint_store store(place / "run");
    std::string const kept = text_of(store.read());
    INFO("killed at call " << nth << ": " << kept);
    CHECK((kept == before || kept == after));
    if (WIFEXITED(status)) CHECK(kept == after);
  }
}

TEST_CASE("parts that could not be read back are refused before anything is written") {
  std::vector<checkpoint_part> parts;
  for (int i = 0; i < 1024; ++i) parts.push_back({std::to_string(i), {}});
  CHECK(decode("many", encode(parts)).parts().size() == 1024);
  parts.push_back({"one more", {}});
  CHECK_THROWS_MATCHES(encode(parts), invalid_option,
                       MessageMatches(ContainsSubstring("1025 parts; allowed: at most 1024")));
  test::folder const place;
  checkpoint_store store(place / "run");
  parts = {{"pipeline", {}}, {"loader", {}}, {"pipeline", bytes_of("x")}};
  CHECK_THROWS_MATCHES(store.write(parts), invalid_option, MessageMatches(ContainsSubstring("\"pipeline\"")));
  CHECK_FALSE(store.read());
}

TEST_CASE("a pipeline goes into a store and back") {
  test::folder const place;
  checkpoint_store kept(place / "run");
  auto const make = [] { return bayesian(search_space{real{"lr", 1e-5, 0.1, scale::log}}) | guard(); };
  suggestions pipeline = make(), resumed = make();
  for (double const metric : {3.0, 2.0, 1.0}) {
    pipeline.ask();
    pipeline.tell(metric);
  }
  kept.write(std::vector<checkpoint_part>{{"pipeline", save(pipeline)}});
  load(resumed, (*kept.read())["pipeline"]);
  CHECK(save(resumed) == save(pipeline));
}

TEST_CASE("a checkpoint file that is far larger than memory is refused, and does not keep a store from writing") {
  test::folder const place;
  std::string const whole = [] {
    std::vector<std::byte> const bytes = encode(parts_of("one"));
    return std::string(reinterpret_cast<char const*>(bytes.data()), bytes.size());
  }();
  for (std::string const& beginning : {std::string("autotunenet"), whole}) {
    checkpoint_store store(place / "run");
    write_text(place / "run", beginning);
    if (::truncate((place / "run").c_str(), off_t{1} << 40) != 0) SKIP("the file system has no files of that size");
    CHECK_THROWS_MATCHES(store.read(), checkpoint_error, MessageMatches(ContainsSubstring("damaged")));
    store.write(parts_of("two"));
    CHECK(text_of(store.read()) == "two");
  }
  {
    write_text(place / "run", "autotunenet");
    REQUIRE(::truncate((place / "run").c_str(), off_t{1} << 40) == 0);
    checkpoint_store unread(place / "run");
    unread.write(parts_of("three"));
    CHECK(text_of(unread.read()) == "three");
  }
}

TEST_CASE("names of parts that would make a header too large to be read back are refused") {
  test::folder const place;
  checkpoint_store store(place / "run");
  std::vector<checkpoint_part> const parts{{std::string(std::size_t{17} << 20, 'x'), {}}};
  CHECK_THROWS_MATCHES(store.write(parts), invalid_option, MessageMatches(ContainsSubstring("names of parts")));
}
