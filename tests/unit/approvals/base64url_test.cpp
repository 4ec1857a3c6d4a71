#include "approvals/base64url.h"

#include <doctest/doctest.h>

using namespace escort;

TEST_CASE("base64url: RFC 4648 §10, without padding") {
    for (const auto& [bytes, text] :
         std::initializer_list<std::pair<const char*, const char*>>{{"", ""},
                                                                    {"f", "Zg"},
                                                                    {"fo", "Zm8"},
                                                                    {"foo", "Zm9v"},
                                                                    {"foob", "Zm9vYg"},
                                                                    {"fooba", "Zm9vYmE"},
                                                                    {"foobar", "Zm9vYmFy"},
                                                                    {"\xfb\xff\xfe", "-__-"}}) {
        CHECK(base64url_encode(bytes) == text);
        CHECK(base64url_decode(text) == std::string(bytes));
    }
}

TEST_CASE("base64url: one value has one text") {
    for (const char* text :
         {"Zg==", "Zg=", "Zh", "Zm9", "Z", "Zm9vY", "Zm+v", "Zm/v", "Zm 9v", "Zm9v\n", "Zm9v.",
          "\xc3\xa4"
          "bc"}) {
        CAPTURE(text);
        CHECK_FALSE(base64url_decode(text));
    }
    CHECK_FALSE(base64url_decode(std::string("Zm\09v", 5)));
}
