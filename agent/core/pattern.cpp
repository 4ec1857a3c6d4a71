#include "core/pattern.h"

#include <exception>

namespace escort {

Result<Pattern> Pattern::compile(const std::string& text) {
    if (text.size() > kPatternLimit)
        return fail("pattern", "is longer than " + std::to_string(kPatternLimit) + " characters");
    try {
        // libstdc++'s automaton in place of its backtracking: (a+)+ takes no exponential time, and a long id
        // no deep recursion. It refuses back references.
        return Pattern(std::regex(text, std::regex::ECMAScript | std::regex_constants::__polynomial));
    } catch (const std::regex_error& error) {
        if (error.code() == std::regex_constants::error_complexity)
            return fail("pattern", "back references are not supported in a pattern");
        return fail("pattern", std::string("is no regular expression: ") + error.what());
    } catch (const std::exception& error) {
        return fail("pattern", std::string("is no regular expression: ") + error.what());
    }
}

bool Pattern::matches(const std::string& id) const {
    try {
        return std::regex_match(id, regex_);
    } catch (const std::exception&) {
        return false; // out of memory or of complexity: what can't be matched doesn't match
    }
}

void Patterns::add(const std::string& text) {
    if (compiled_.contains(text)) return;
    if (auto pattern = Pattern::compile(text)) compiled_.emplace(text, std::move(*pattern));
}

const Pattern* Patterns::find(const std::string& text) const {
    const auto found = compiled_.find(text);
    return found == compiled_.end() ? nullptr : &found->second;
}

} // namespace escort
