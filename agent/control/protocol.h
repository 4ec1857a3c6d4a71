// What escortctl and the daemon say to each other (docs/control-protocol.md): one JSON object a line over a
// Unix stream socket. Both sides include this; no I/O here.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace escort::control {

constexpr std::size_t kRequestBytes = std::size_t{64} << 10; // of a request's line, line end included
constexpr std::size_t kAnswerBytes = std::size_t{32} << 20;  // the same of an answer
constexpr int kRequestDepth = 16;                            // lists and objects within each other

// escortctl's exit codes (contract §1); the daemon sends those that a failed request ends with.
enum class Exit : int {
    done = 0,
    not_so = 1, // the thing asked for is not so: refused, unknown id, unhealthy
    usage = 2,  // the request was wrong
    unreachable = 3,
    not_permitted = 4,
};

struct Failure {
    Exit code = Exit::not_so;
    Error error;
};

template <typename T>
using Outcome = tl::expected<T, Failure>;

[[nodiscard]] inline tl::unexpected<Failure> failure(Exit code, std::string where, std::string why,
                                                     std::string hint = {}) {
    return tl::unexpected<Failure>(Failure{code, Error{std::move(where), std::move(why), std::move(hint)}});
}

[[nodiscard]] inline tl::unexpected<Failure> not_so(Error error) {
    return tl::unexpected<Failure>(Failure{Exit::not_so, std::move(error)});
}

struct Call {
    std::string name;
    nlohmann::json params = nlohmann::json::object();
};

// A line each, with its line end. Bytes that aren't UTF-8 become U+FFFD.
[[nodiscard]] std::string encode_call(const Call& call);
[[nodiscard]] std::string encode_result(const nlohmann::json& result);
[[nodiscard]] std::string encode_failure(const Failure& failure);

// A line without its line end. The request's name must be a string, `params` an object where it is there;
// other keys are refused.
[[nodiscard]] Outcome<Call> decode_call(std::string_view line);
// The result, or the failure that the daemon sent, or (Exit::unreachable) that this is no answer.
[[nodiscard]] Outcome<nlohmann::json> decode_answer(std::string_view line);

} // namespace escort::control
