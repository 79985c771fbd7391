#include "../modules/printable.hpp"

#include <catch2/catch_test_macros.hpp>
#include <string>

using autotunenet::printable;

TEST_CASE("what a terminal might obey is shown as what it is") {
  CHECK(printable("plain \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 text") ==
        "plain \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 text");
  CHECK(printable("a\nb\x1b[31m\x7f") == "a\\u000Ab\\u001B[31m\\u007F");
  CHECK(printable("\xc2\x9b\xc2\xa0") == "\\u009B\xc2\xa0");
  CHECK(printable(std::string("\0", 1)) == "\\u0000");
}

TEST_CASE("bytes that are no UTF-8 are shown as bytes") {
  CHECK(printable("\x9b\xff") == "\\x9B\\xFF");
  CHECK(printable("\xe2\x82") == "\\xE2\\x82");           // cut off
  CHECK(printable("\xc0\x9b") == "\\xC0\\x9B");           // longer than it need be
  CHECK(printable("\xe0\x82\x9b") == "\\xE0\\x82\\x9B");  // the same
  CHECK(printable("\xf0\x80\x82\x9b") == "\\xF0\\x80\\x82\\x9B");
}

TEST_CASE("what is too long is cut between two characters") {
  CHECK(printable("abcdef", 6) == "abcdef");
  CHECK(printable("abcdefg", 6) == "abcdef...");
  CHECK(printable("abcde\xe2\x82\xacg", 6) == "abcde\xe2\x82\xac...");
}
