// The file RUN/principals: whom the gate must ask about, and what it does when nobody answers. The daemon
// writes it, pam_escort.so reads it (docs/pam-gate.md), so that nobody else's login ever waits for the
// daemon. Text and struct here; no I/O.
#pragma once

#include "base/result.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace escort::gate {

constexpr std::size_t kPrincipalsFileBytes = std::size_t{4} << 20;
constexpr std::chrono::milliseconds kLongestTimeout{60'000};

// Of the policy that governs an account.
enum class Governed { no, observed, enforced };

struct UidMark {
    std::uint32_t first = 0, last = 0; // both included; never uid 0
    Governed mode = Governed::enforced;
};

struct NameMark {
    std::string name; // an account's, or a shell glob
    Governed mode = Governed::enforced;
};

struct PrincipalsFile {
    std::chrono::milliseconds timeout{
        2000};                      // for an answer, 1 ms to kLongestTimeout (contract §1: gate.timeout)
    bool admit_when_down = false;   // contract §1: gate.on_agent_down
    std::vector<UidMark> uids;      // resolved, and ranges that NSS knows nothing about
    std::vector<NameMark> names;    // of principals, resolved or not
    std::vector<NameMark> patterns; // the policies' globs
};

// What is no mark (Governed::no, uid 0, a range the wrong way round, a name with a control character or
// too long for a PAM user) is left out.
[[nodiscard]] std::string write_principals(const PrincipalsFile& file);

// Strict: an unknown record, another format or a missing line end (a file cut short) is an error.
[[nodiscard]] Result<PrincipalsFile> read_principals(std::string_view text);

// Enforced beats observed where both match. uid 0 is never governed; an absent uid (NSS doesn't know the
// name, or not now) leaves name and patterns.
[[nodiscard]] Governed governed(const PrincipalsFile& file, const std::string& name,
                                std::optional<std::uint32_t> uid);

} // namespace escort::gate
