// A record of the activity ring as the daemon may read it: a program that a session started. Pure: it looks
// at the bytes alone, knows no session and decides nothing.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace escort {

// Texts are bytes as the kernel had them: people choose them, so whoever shows them escapes them.
struct ExecRecord {
    std::uint64_t id = 0;       // the session
    std::uint64_t time_ns = 0;  // CLOCK_BOOTTIME
    std::uint64_t start_ns = 0; // of the process, with `tgid` its identity
    std::uint32_t tid = 0, tgid = 0, parent = 0;
    std::uint32_t uid = 0, euid = 0;
    std::string path;   // from the mount namespace's root; of a memfd its name alone
    std::string cwd;    // the same
    std::string script; // the name that execve was given, where an interpreter runs; else empty
    std::vector<std::string> arguments;
    bool path_cut = false, cwd_cut = false; // at their start
    bool script_cut = false, arguments_cut = false;
    bool rose = false;     // runs as root, and what it came from did not
    bool nameless = false; // a memfd, a deleted file
};

// Errors: too short, another ABI, lengths that don't fit the record or each other.
[[nodiscard]] Result<ExecRecord> decode_exec(std::span<const std::byte> bytes);

} // namespace escort
