// JSON as signed documents may use it: UTF-8, no duplicate keys, bounded depth, strings and lists, no control
// characters in strings. nlohmann's SAX parser underneath; the elements of one large top-level list can be
// handed on one at a time, so that 10,000 approvals never stand in memory twice.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace escort {

struct JsonRules {
    std::size_t depth = 8;            // objects and lists within each other
    std::size_t string_bytes = 1024;  // keys too (contract §4)
    std::size_t list_entries = 64;    // contract §4
    std::string streamed{};           // a top-level list handed to the sink; stays empty in the result
    std::size_t streamed_entries = 0; // its own limit
};

// One element of the streamed list; an error ends the parse and is its result.
using JsonSink = std::function<Status(std::size_t index, const nlohmann::json& element)>;

// The whole text as one JSON object. An error's `where` is the JSON path ("approvals[3].engineer.id"), or
// empty.
[[nodiscard]] Result<nlohmann::json> parse_strict(std::string_view text, const JsonRules& rules = {},
                                                  const JsonSink& sink = {});

// The string value of one top-level key, without looking at what comes after it; an error where there is
// none. For the one claim that must be known before the document is parsed strictly (`iss`).
[[nodiscard]] Result<std::string> peek_string(std::string_view text, const std::string& key);

} // namespace escort
