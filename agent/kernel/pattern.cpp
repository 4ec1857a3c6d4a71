#include "kernel/pattern.h"

#include "glob.h"

#include <utility>

namespace escort {

namespace {

struct Bracket {
    bool negated = false;
    std::vector<std::pair<char, char>> ranges; // inclusive
    std::size_t length = 0;                    // bytes of the glob; 0: no bracket, '[' stands for itself
};

// POSIX 2.13.1: '!' (or '^') negates, a ']' that comes first is itself, as is a '-' at an end.
Result<Bracket> read_bracket(std::string_view glob) {
    Bracket bracket;
    bool named = false;
    std::size_t at = 1;
    if (at < glob.size() && (glob[at] == '!' || glob[at] == '^')) bracket.negated = ++at != 0;
    for (const std::size_t first = at; at < glob.size(); at++) {
        if (glob[at] == ']' && at != first) {
            if (named)
                return fail(std::string(glob), "a named class of characters is not supported",
                            "write the range: [0-9]");
            bracket.length = at + 1;
            return bracket;
        }
        if (glob[at] == '[' && at + 1 < glob.size() &&
            std::string_view(":.=").find(glob[at + 1]) != std::string_view::npos)
            named = true;
        const bool range = at + 2 < glob.size() && glob[at + 1] == '-' && glob[at + 2] != ']';
        bracket.ranges.emplace_back(glob[at], glob[range ? at + 2 : at]);
        if (range) at += 2;
    }
    return Bracket{}; // not closed
}

} // namespace

Result<ProgramPattern> compile_pattern(std::string_view glob) {
    const std::string whole(glob);
    if (glob.empty() || glob.front() != '/') return fail(whole, "is not an absolute path");
    ProgramPattern pattern;
    std::string bytes;
    while (!glob.empty()) {
        const char byte = glob.front();
        std::size_t used = 1;
        if (byte == '*') {
            bytes += char{ESCORT_GLOB_STAR};
        } else if (byte == '?') {
            bytes += char{ESCORT_GLOB_ANY};
        } else if (byte == ' ') {
            pattern.arguments = true;
            bytes += char{ESCORT_GLOB_SEPARATOR};
        } else if (static_cast<unsigned char>(byte) < ' ') {
            return fail(whole, "holds a control character");
        } else {
            const auto bracket = byte == '[' ? read_bracket(glob) : Result<Bracket>(Bracket{});
            if (!bracket) return tl::unexpected(bracket.error());
            if (bracket->ranges.size() > ESCORT_GLOB_RANGES)
                return fail(whole, "holds a bracket of more than 6 ranges");
            if (bracket->length == 0) {
                bytes += byte;
            } else {
                bytes += char{ESCORT_GLOB_CLASS};
                bytes += static_cast<char>(bracket->negated);
                for (std::size_t i = 0; i < ESCORT_GLOB_RANGES; i++) {
                    const auto [first, last] =
                        i < bracket->ranges.size() ? bracket->ranges[i] : std::pair('\1', '\0');
                    bytes += first;
                    bytes += last;
                }
                used = bracket->length;
            }
        }
        glob.remove_prefix(used);
    }
    if (bytes.size() >= pattern.bytes.size()) return fail(whole, "is too long: 127 bytes at most");
    bytes.copy(pattern.bytes.data(), bytes.size());
    return pattern;
}

std::vector<std::string> merged_names(const std::string& glob) {
    std::vector<std::string> names{glob};
    const bool usr = glob.starts_with("/usr/");
    const std::string rest = usr ? glob.substr(4) : glob;
    for (const auto* folder : {"/bin/", "/sbin/", "/lib/", "/lib64/"})
        if (rest.starts_with(folder)) names.push_back(usr ? rest : "/usr" + rest);
    return names;
}

} // namespace escort
