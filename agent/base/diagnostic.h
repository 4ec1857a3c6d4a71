// Diagnostics about a text file that a person wrote: data, collected, printed together.
#pragma once

#include <string>
#include <vector>

namespace escort {

// A place in a file. line and column count from 1; 0 means "the file as a whole".
struct Place {
    std::string file;
    int line = 0;
    int column = 0;

    [[nodiscard]] std::string text() const;
};

enum class Severity { error, warning };

struct Diagnostic {
    Severity severity = Severity::error;
    Place place;
    std::string message;
    std::string hint{}; // what to do; may be empty

    // "FILE:LINE:COLUMN: error: MESSAGE (HINT)" (contract §2, policy check); no line when it is unknown.
    [[nodiscard]] std::string text() const;
};

using Diagnostics = std::vector<Diagnostic>;

[[nodiscard]] bool has_errors(const Diagnostics& diagnostics);

} // namespace escort
