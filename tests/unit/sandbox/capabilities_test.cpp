#include "sandbox/capabilities.h"

#include "sandbox/child.h"
#include "sandbox/sandbox.h"

#include <cerrno>
#include <doctest/doctest.h>
#include <fstream>
#include <sstream>
#include <string>
#include <sys/syscall.h>

namespace escort {

namespace {

std::uint64_t mask_of(std::span<const Capability> capabilities) {
    std::uint64_t mask = 0;
    for (const auto& each : capabilities)
        mask |= std::uint64_t{1} << each.number;
    return mask;
}

// A line of /proc/self/status, as a number.
std::uint64_t own(const std::string& name, int base) {
    std::ifstream file("/proc/self/status");
    std::string word, value;
    while (file >> word)
        if (word == name + ":" && file >> value) return std::stoull(value, nullptr, base);
    return ~std::uint64_t{0};
}

} // namespace

TEST_CASE("capabilities: exactly those of the table are left" * doctest::skip(::geteuid() != 0)) {
    const auto keep = [] { return keep_capabilities(kDaemonCapabilities).has_value(); };
    const std::uint64_t expected = mask_of(kDaemonCapabilities);
    for (const char* set : {"CapEff", "CapPrm", "CapBnd"})
        CHECK(in_child(keep, [&] { return own(set, 16) == expected ? 0 : 1; }) == 0);
    for (const char* set : {"CapInh", "CapAmb"})
        CHECK(in_child(keep, [&] { return own(set, 16) == 0 ? 0 : 1; }) == 0);
}

TEST_CASE("capabilities: one that isn't there is said by name" * doctest::skip(::geteuid() != 0)) {
    CHECK(in_child([] { return keep_capabilities({}).has_value(); },
                   [] {
                       const auto again = keep_capabilities(kDaemonCapabilities);
                       return !again && again.error().text() == "capabilities: cap_bpf is missing" ? 0 : 1;
                   }) == 0);
}

TEST_CASE("sandbox: both halves, and the filter last" * doctest::skip(::geteuid() != 0)) {
    const auto enter = [] { return enter_sandbox().has_value(); };
    CHECK(in_child(enter, [] { return own("Seccomp", 10) == 2 ? 0 : 1; }) == 0);
    CHECK(in_child(enter, [] { return own("NoNewPrivs", 10) == 1 ? 0 : 1; }) == 0);
    CHECK(in_child(enter, [] { return own("CapEff", 16) == mask_of(kDaemonCapabilities) ? 0 : 1; }) == 0);
    CHECK(in_child(enter, [] { return outcome(::syscall(SYS_sethostname, "x", 1)); }) == EPERM);
}

TEST_CASE("sandbox: the helper has no capability, from outside and from inside" *
          doctest::skip(::geteuid() != 0)) {
    const auto enter = [] { return enter_helper_sandbox().has_value(); };
    const auto twice = [&] { return enter_sandbox().has_value() && enter(); };
    for (const auto& way : {std::function<bool()>(enter), std::function<bool()>(twice)}) {
        CHECK(in_child(way, [] { return own("CapEff", 16) == 0 && own("CapPrm", 16) == 0 ? 0 : 1; }) == 0);
        CHECK(in_child(way, [] { return outcome(::syscall(SYS_sethostname, "x", 1)); }) == EPERM);
        CHECK(in_child(way, [] { return outcome(::syscall(SYS_ptrace, 16, 1, 0, 0)); }) == EPERM);
    }
}

} // namespace escort
