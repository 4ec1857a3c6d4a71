// Errors as values: what a function returns when it can fail.
//
// Library code returns an Error and never logs; its caller logs once. Exceptions stop at the edge of
// the library that throws them (yaml-cpp, nlohmann-json, std::filesystem).
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace escort {

// One failure. `where` names the thing concerned (a file, a map, a claim), `why` the reason in plain
// words, `hint` what to do next (may be empty). Printed as "WHERE: WHY" and a line with the hint.
struct Error {
    std::string where;
    std::string why;
    std::string hint{};

    [[nodiscard]] std::string text() const { return where.empty() ? why : where + ": " + why; }
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

[[nodiscard]] inline tl::unexpected<Error> fail(std::string where, std::string why, std::string hint = {}) {
    return tl::unexpected<Error>(Error{std::move(where), std::move(why), std::move(hint)});
}

// fail() with the text of an errno value (positive) appended to `doing`: "open: No such file or directory".
[[nodiscard]] tl::unexpected<Error> fail_errno(std::string where, const std::string& doing, int error);

} // namespace escort
