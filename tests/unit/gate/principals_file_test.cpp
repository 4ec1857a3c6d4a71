#include "gate/principals_file.h"

#include <doctest/doctest.h>

using namespace escort;
using namespace escort::gate;

namespace {

PrincipalsFile example() {
    PrincipalsFile file;
    file.timeout = std::chrono::milliseconds(1500);
    file.admit_when_down = true;
    file.uids = {{1001, 1001, Governed::enforced}, {60000, 60099, Governed::observed}};
    file.names = {{"azsupport", Governed::enforced}, {"CORP\\Jane Doe", Governed::observed}};
    file.patterns = {{"vendor-*", Governed::observed}, {"vendor-x*", Governed::enforced}};
    return file;
}

} // namespace

TEST_CASE("principals file: as documented, and back") {
    const std::string text = write_principals(example());
    CHECK(text ==
          "format 1\ntimeout_ms 1500\non_agent_down admit\nuid 1001 enforce\nuid 60000-60099 observe\n"
          "name azsupport enforce\nname CORP\\Jane Doe observe\n"
          "pattern vendor-* observe\npattern vendor-x* enforce\n");
    const auto back = read_principals(text);
    REQUIRE(back);
    CHECK(write_principals(*back) == text);
    CHECK(back->timeout == std::chrono::milliseconds(1500));
    CHECK(back->admit_when_down);
}

TEST_CASE("principals file: who is governed; enforced beats observed; root never") {
    const auto file = example();
    CHECK(governed(file, "azsupport", 1001) == Governed::enforced);
    CHECK(governed(file, "renamed", 1001) == Governed::enforced);
    CHECK(governed(file, "azsupport", std::nullopt) == Governed::enforced);
    CHECK(governed(file, "x", 60000) == Governed::observed);
    CHECK(governed(file, "x", 60099) == Governed::observed);
    CHECK(governed(file, "x", 60100) == Governed::no);
    CHECK(governed(file, "x", 59999) == Governed::no);
    CHECK(governed(file, "vendor-two", 1002) == Governed::observed);
    CHECK(governed(file, "vendor-xy", 1003) == Governed::enforced);
    CHECK(governed(file, "vendor-two", 1001) == Governed::enforced);
    CHECK(governed(file, "my-vendor-two", 1002) == Governed::no);
    CHECK(governed(file, "alice", 1000) == Governed::no);
    CHECK(governed(file, "azsupport", 0) == Governed::no);
    CHECK(governed(file, "CORP\\Jane Doe", 5000) == Governed::observed);
}

TEST_CASE("principals file: damaged, newer, cut short: an error, never half of it") {
    CHECK(read_principals("format 1\n"));
    const std::string good = write_principals(example());
    std::size_t accepted = 0;
    for (std::size_t size = 0; size < good.size(); ++size)
        if (read_principals(good.substr(0, size))) ++accepted;
    CHECK(accepted == 8); // after each whole line but the last
    for (const char* line :
         {"uid 0 enforce", "uid 7-3 enforce", "uid 4294967296 enforce", "uid x enforce", "uid 1001 enforced",
          "uid 1001", "name  enforce", "name enforce", "pattern x", "timeout_ms 0", "timeout_ms 60001",
          "timeout_ms 2000ms", "on_agent_down perhaps", "group x enforce", "", "uid", "uid -5 enforce"}) {
        CAPTURE(line);
        CHECK_FALSE(read_principals("format 1\n" + std::string(line) + "\n"));
    }
    CHECK_FALSE(read_principals(""));
    CHECK_FALSE(read_principals("format 2\n"));
    CHECK_FALSE(read_principals("uid 1001 enforce\nformat 1\n"));
}

TEST_CASE("principals file: what could be misread is not written") {
    PrincipalsFile file;
    file.uids = {{0, 0, Governed::enforced}, {9, 3, Governed::enforced}, {5, 5, Governed::no}};
    file.names = {{"a\nuid 1000 enforce", Governed::enforced}, {"", Governed::enforced}, {"x", Governed::no}};
    file.patterns = {{std::string(1000, 'x'), Governed::enforced}};
    file.timeout = std::chrono::hours(1);
    CHECK(write_principals(file) == "format 1\ntimeout_ms 60000\non_agent_down refuse\n");
}
