// The program that this process runs, as a path to start again: the only one that the daemon ever starts.
#pragma once

namespace escort {

// One object in the whole program, in memory that is never written: the sandbox (sandbox/calls.h) lets
// execve(2) through for this very address. Pass it on as it is; a copy of its text is refused.
inline constexpr char kOwnProgram[] = "/proc/self/exe";

} // namespace escort
