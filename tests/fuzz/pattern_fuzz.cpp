// Patterns of ids, which a policy gives, over ids, which documents give: whatever both say, matching takes no
// long time and no deep stack. The input: the pattern, a NUL, an id.
#include "fuzz.h"

#include "core/pattern.h"
#include "policy/patterns.h"

using namespace escort;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto input = fuzz::text_of(data, size);
    const auto end = input.find('\0');
    const std::string text(input.substr(0, end));
    const std::string id(end == std::string_view::npos ? std::string_view() : input.substr(end + 1, 1024));
    if (!wrong_pattern(text).empty()) return 0;
    const auto pattern = Pattern::compile(text);
    fuzz::must(pattern.has_value(), "what a policy may say compiles");
    const bool matches = pattern->matches(id);
    Patterns patterns;
    patterns.add(text);
    const auto* kept = patterns.find(text);
    fuzz::must(kept != nullptr && kept->matches(id) == matches, "a pattern compiled ahead is the same");
    return 0;
}
