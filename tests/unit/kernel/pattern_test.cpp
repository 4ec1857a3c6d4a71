// What a unit may run: globs compiled (kernel/pattern.h) and matched as the kernel programs do (bpf/glob.h).
#include "kernel/pattern.h"

#include "glob.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <fnmatch.h>
#include <random>
#include <string>

using namespace escort;

namespace {

// As bpf_loop walks it: so many steps at most. NULs in `text` are between two arguments.
bool matches(const ProgramPattern& pattern, const std::string& text) {
    char bytes[2 * ESCORT_TEXT_HALF] = {};
    text.copy(bytes, sizeof bytes);
    escort_glob glob{};
    glob.pattern = pattern.bytes.data();
    glob.text = bytes;
    glob.end = static_cast<__u32>(text.size());
    for (int i = 0; i < ESCORT_GLOB_STEPS; i++)
        if (escort_glob_step(&glob) != 0) break;
    return glob.matches != 0;
}

bool matches(const std::string& glob, const std::string& text) {
    const auto pattern = compile_pattern(glob);
    REQUIRE(pattern);
    return matches(*pattern, text);
}

} // namespace

TEST_CASE("pattern: globs match whole paths") {
    CHECK(matches("/usr/sbin/ip", "/usr/sbin/ip"));
    CHECK_FALSE(matches("/usr/sbin/ip", "/usr/sbin/ip6"));
    CHECK_FALSE(matches("/usr/sbin/ip", "/usr/sbin/i"));
    CHECK(matches("/usr/bin/python3*", "/usr/bin/python3.11"));
    CHECK(matches("/var/lib/waagent/*/bin/*shim", "/var/lib/waagent/Ext-1.2/bin/sub/custom-shim"));
    CHECK(matches("/usr/bin/python3.[0-9][0-9]", "/usr/bin/python3.11"));
    CHECK_FALSE(matches("/usr/bin/python3.[!0-9]", "/usr/bin/python3.1"));
    CHECK(matches("/a?c", "/abc"));
    CHECK(matches("/[]x]", "/]"));
    CHECK(matches("/[a-]", "/-"));
    CHECK(matches("/a[b", "/a[b")); // not closed: itself
    CHECK(matches("/[[:digit", "/[[:digit"));
    CHECK(matches("/a\\b", "/a\\b"));
    CHECK_FALSE(matches("/a", ""));
}

TEST_CASE("pattern: what fnmatch says, over short alphabets") {
    std::mt19937 random(20261124);
    const std::string alphabet = "ab/*?[]!-";
    std::size_t matched = 0;
    for (int i = 0; i < 60'000; i++) {
        std::string glob = "/", text = "/";
        for (auto length = random() % 9; length > 0; length--)
            glob += alphabet[random() % alphabet.size()];
        for (auto length = random() % 9; length > 0; length--)
            text += alphabet[random() % 3];
        if (glob.find("[!]") != std::string::npos || glob.find("[]") != std::string::npos)
            continue; // glibc's own ways
        const auto pattern = compile_pattern(glob);
        if (!pattern) continue;
        CAPTURE(glob);
        CAPTURE(text);
        const bool expected = fnmatch(glob.c_str(), text.c_str(), FNM_NOESCAPE) == 0;
        CHECK(matches(*pattern, text) == expected);
        matched += expected;
    }
    CHECK(matched > 1000);
}

TEST_CASE("pattern: a blank stands between two arguments, and no star goes over it") {
    const auto pattern = compile_pattern("/usr/bin/python3* -u bin/Agent-*.egg -run");
    REQUIRE(pattern);
    CHECK(pattern->arguments);
    using namespace std::string_literals;
    CHECK(matches(*pattern, "/usr/bin/python3.11\0-u\0bin/Agent-2.9.egg\0-run"s));
    CHECK_FALSE(matches(*pattern, "/usr/bin/python3.11\0-u\0bin/Agent-x\0evil.egg\0-run"s));
    CHECK_FALSE(matches(*pattern, "/usr/bin/python3.11\0-u\0bin/Agent-2.9.egg\0-run\0more"s));
    CHECK_FALSE(matches(*pattern, "/usr/bin/python3.11 -u\0bin/Agent-2.9.egg\0-run"s));
    CHECK_FALSE(compile_pattern("/usr/bin/python3")->arguments);
    for (const char* glob : {"/x*-a", "/x?-a", "/x[!y]-a"})
        CHECK_FALSE(matches(glob, "/x\0-a"s));
}

TEST_CASE("pattern: what can't be compiled is said") {
    CHECK(compile_pattern("bin/ip").error().why == "is not an absolute path");
    CHECK_FALSE(compile_pattern(""));
    CHECK_FALSE(compile_pattern("/a[[:digit:]]"));
    CHECK_FALSE(compile_pattern("/a[abcdefg]"));
    CHECK(compile_pattern("/a[a-cd-fgh]"));
    CHECK_FALSE(compile_pattern("/a\x01"));
    CHECK(compile_pattern("/" + std::string(126, 'a')));
    CHECK_FALSE(compile_pattern("/" + std::string(127, 'a')));
}

TEST_CASE("pattern: a hostile pair of pattern and text ends, without a match") {
    std::string glob = "/";
    for (int i = 0; i < 40; i++)
        glob += "*a";
    CHECK_FALSE(matches(glob + "b", "/" + std::string(250, 'a')));
}

TEST_CASE("pattern: the other name of a merged /usr") {
    CHECK(merged_names("/usr/sbin/ip") == std::vector<std::string>{"/usr/sbin/ip", "/sbin/ip"});
    CHECK(merged_names("/bin/sh") == std::vector<std::string>{"/bin/sh", "/usr/bin/sh"});
    CHECK(merged_names("/opt/bin/x").size() == 1);
    CHECK(merged_names("/usr/share/x").size() == 1);
}
