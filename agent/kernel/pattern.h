// A shell glob of `may_run`, compiled for the kernel programs (bpf/glob.h). Pure; never looks at a file.
#pragma once

#include "base/result.h"

#include "abi.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace escort {

struct ProgramPattern {
    std::array<char, ESCORT_PATTERN> bytes{};
    bool arguments = false; // over the path and all arguments after argv[0], one blank between two
};

// "/usr/sbin/ip", "/usr/bin/python3*", "/usr/bin/python3* -u bin/Agent-*.egg -run": what fnmatch(3) matches
// with FNM_NOESCAPE; a star goes over "/" but not from one argument into the next. Errors: not an absolute
// path; more than 127 bytes compiled (a bracket takes 14); a bracket of more than 6 ranges, or with a named
// class
// ("[:digit:]").
[[nodiscard]] Result<ProgramPattern> compile_pattern(std::string_view glob);

// The same glob by the other names that a merged /usr gives it: "/sbin/ip" beside "/usr/sbin/ip".
[[nodiscard]] std::vector<std::string> merged_names(const std::string& glob);

} // namespace escort
