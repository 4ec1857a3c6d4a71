// A session's facts as journal fields, and the phrases that its messages share.
#pragma once

#include "output/facts.h"
#include "output/record.h"

#include <cstdint>
#include <string>
#include <vector>

namespace escort {

void set_session(Record& record, const SessionRecord& session);

// "azsupport by sshd from 203.0.113.7 on pts/0 (engineer eng-42)".
[[nodiscard]] std::string session_phrase(const SessionRecord& session);

// "a,b,c".
[[nodiscard]] std::string joined(const std::vector<std::string>& words);

// RFC 3339 in UTC, "2026-01-01T00:00:00Z"; "an unknown time" for 0.
[[nodiscard]] std::string utc_text(std::int64_t epoch);

// core/reason.h's advice for the word of a reason (contract §5); empty for any other word.
[[nodiscard]] std::string advice(const std::string& reason);

} // namespace escort
