#include "base/diagnostic.h"

#include <algorithm>

namespace escort {

std::string Place::text() const {
    if (line == 0) return file;
    return file + ":" + std::to_string(line) + ":" + std::to_string(column);
}

std::string Diagnostic::text() const {
    std::string out = place.text() + (severity == Severity::error ? ": error: " : ": warning: ") + message;
    if (!hint.empty()) out += " (" + hint + ")";
    return out;
}

bool has_errors(const Diagnostics& diagnostics) {
    return std::any_of(diagnostics.begin(), diagnostics.end(),
                       [](const Diagnostic& d) { return d.severity == Severity::error; });
}

} // namespace escort
