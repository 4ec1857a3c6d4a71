// The names under which a publisher puts documents and a host looks for them: keys of a NATS bucket (contract
// §1), parts of a URL. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace escort {

// An id as one part of a key: letters, digits, - and _ stand for themselves, every other byte is =XX (hex).
// So no host's id makes another host's key, and "a.b" is not below "a".
[[nodiscard]] std::string key_part(std::string_view id);

// `id` as one segment of a URL's path (RFC 3986 §2.1).
[[nodiscard]] std::string url_part(std::string_view id);

// "host.ID", "host.ID.>", and the same for each group.
[[nodiscard]] std::vector<std::string> watched_keys(std::string_view host_id,
                                                    const std::vector<std::string>& groups);

// Of a document's audience, "host:ID" or "group:NAME": "host.ID". Empty: it is neither.
[[nodiscard]] std::string key_of_audience(std::string_view audience);

} // namespace escort
