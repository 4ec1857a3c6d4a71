// What a listed unit may run: a glob compiled for the kernel programs, walked as they walk it, beside what
// fnmatch(3) says. The input: the glob, a NUL, a text.
#include "fuzz.h"

#include "glob.h"
#include "kernel/pattern.h"
#include "policy/names.h"
#include "policy/values.h"

#include <array>
#include <fnmatch.h>

using namespace escort;

namespace {

struct Walk {
    bool matches = false;
    bool whole = true; // not ended by the limit of steps
};

Walk walk(const ProgramPattern& pattern, std::string_view text) {
    std::array<char, 2 * ESCORT_TEXT_HALF> bytes{};
    text.copy(bytes.data(), bytes.size());
    escort_glob glob{};
    glob.pattern = pattern.bytes.data();
    glob.text = bytes.data();
    glob.end = static_cast<__u32>(std::min(text.size(), bytes.size()));
    for (int i = 0; i < ESCORT_GLOB_STEPS; i++)
        if (escort_glob_step(&glob) != 0) return {glob.matches != 0};
    return {false, false};
}

// glibc's own ways: brackets that POSIX leaves open, and ranges by the locale's order.
bool comparable(std::string_view glob) {
    return glob.find('[') == std::string_view::npos ||
           (glob.find("[!]") == std::string_view::npos && glob.find("[^") == std::string_view::npos &&
            glob.find("[]") == std::string_view::npos);
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto input = fuzz::text_of(data, size);
    const auto end = input.find('\0');
    const std::string glob(input.substr(0, end));
    const std::string text(end == std::string_view::npos ? std::string_view() : input.substr(end + 1));
    const auto pattern = compile_pattern(glob);
    if (wrong_program(glob).empty()) fuzz::must(pattern.has_value(), "what a policy may say compiles");
    if (!pattern) return 0;
    const Walk found = walk(*pattern, text);
    for (const auto& name : merged_names(glob))
        fuzz::must(name == glob || name.size() == glob.size() + 4 || name.size() + 4 == glob.size(),
                   "another name of a merged /usr has /usr before it, or no more");
    if (pattern->arguments || !found.whole || text.find('\0') != std::string::npos ||
        text.size() >= ESCORT_TEXT_HALF || !comparable(glob))
        return 0;
    fuzz::must(found.matches == (fnmatch(glob.c_str(), text.c_str(), FNM_NOESCAPE) == 0),
               "a glob matches what fnmatch says");
    return 0;
}
