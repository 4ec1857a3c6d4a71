// A session's record of the journal once more, as the broker is told of it: the claims of a JWT (RFC 7519
// §4). Pure; signs nothing.
#pragma once

#include "output/record.h"

#include <cstdint>
#include <string>

namespace escort {

// Whose event it is, and which: the claims `iss`, `iat`, `jti`, `seq`.
struct EventStamp {
    std::string host;      // id
    std::int64_t at = 0;   // seconds since the epoch
    std::string id;        // unique on the host
    std::uint64_t seq = 0; // one more with each of the host's: what is missing was lost or withheld
};

// The events of a session's life; not what it runs.
[[nodiscard]] bool is_session_event(Event event);

// JSON: iss ("host:ID"), iat, jti, seq, event, and the record's fields and the context's, named as in the
// journal but lower-case and without ESCORT_ ("pid" for OBJECT_PID). Numbers are numbers, `reasons` is a
// list.
[[nodiscard]] std::string session_event_claims(const Record& record, const Context& context,
                                               const EventStamp& stamp);

} // namespace escort
