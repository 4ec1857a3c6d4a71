// What the policy reader says of a text, as one string.
#pragma once

#include "policy/load.h"

#include <doctest/doctest.h>
#include <string>

namespace escort::test {

// One line each, without a line feed at the end.
inline std::string all_of(const Diagnostics& diagnostics) {
    std::string all;
    for (const auto& one : diagnostics)
        all += (all.empty() ? "" : "\n") + one.text();
    return all;
}

inline std::string complaints(const PolicySources& sources) {
    Diagnostics out;
    const auto set = parse_policies(sources, out);
    CHECK(set.has_value() != has_errors(out));
    return all_of(out);
}

// The text is the file `f`.
inline std::string complaints(const std::string& text) {
    return complaints(PolicySources{{"f", "f", text}});
}

} // namespace escort::test
