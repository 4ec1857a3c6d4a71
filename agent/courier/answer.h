// What a broker's answer holds: documents, told apart from everything else by their form alone. Pure. Whether
// one is genuine is the daemon's to judge: nothing here looks at a signature, and nothing decides by a
// payload.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace escort::courier {

constexpr std::size_t kMostDocuments = 1024; // in one answer
// Of an HTTPS answer: a document of the largest size in a JSON list, and small ones beside it.
constexpr std::size_t kMostAnswerBytes = std::size_t{20} << 20;

// Three segments of base64url and a header that is a JSON object: RFC 7515 §3.1. Nothing else is handed on.
[[nodiscard]] Status check_compact_jws(std::string_view text);

// Is its header's `typ` that of a list of approvals? For `status`, which says how old the last one is.
[[nodiscard]] bool is_list(std::string_view jws);

// The documents of an HTTPS answer: one compact JWS (a line end may follow), or a JSON list of them, told by
// the first character. Nothing at all where one of them is no compact JWS.
[[nodiscard]] Result<std::vector<std::string>> documents_of(std::string_view body);

// The SETs of a poll's answer (RFC 8936 §2.3), each with its jti.
[[nodiscard]] Result<std::vector<std::pair<std::string, std::string>>> sets_of(std::string_view body);

// The body of a poll (RFC 8936 §2.2): `acknowledge` are jtis of SETs taken, `refuse` those that are no JWS.
[[nodiscard]] std::string poll_body(const std::vector<std::string>& acknowledge,
                                    const std::vector<std::string>& refuse, std::size_t most, bool at_once);

} // namespace escort::courier
