// Session events on their way to the broker: the daemon puts each, signed, as a file into `paths.outbox`; the
// courier, which may only read there, sends it and names in its report those that have arrived (or are
// spoilt, and can't be sent); the daemon removes them. Here is what both must agree on. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace escort {

constexpr const char* kSessionEventType = "escort-session-event+jwt"; // the JWS header's `typ`
constexpr std::size_t kSessionEventLimit = std::size_t{128} << 10;    // bytes of one, signed
// So many that have arrived and are not removed yet are named at once; more are not sent before.
constexpr std::size_t kMostDelivered = 512;

// A file's name, by which files sort as the events happened.
struct EventName {
    std::uint64_t number = 0; // one more with each event of the host, sent or lost, through all its boots
    std::uint32_t boot = 0;   // as in a session's id
    std::string event;        // "session_killed": letters and _

    friend bool operator==(const EventName&, const EventName&) = default;
};

// "0000000000000812-7f3a2c1e.session_killed.jws"
[[nodiscard]] std::string file_name(const EventName& name);
[[nodiscard]] std::optional<EventName> parse_event_name(std::string_view file);

// "7f3a2c1e-e812": the event's `jti`, unique on its host. (A power cut may take the number back a little; the
// boot is another then.)
[[nodiscard]] std::string event_id(const EventName& name);

constexpr const char* kEventSubjects = "escort.events.>"; // of all hosts

// "escort.events.HOST.session_killed", HOST as in a bucket's keys; and what all of a host's begin with.
[[nodiscard]] std::string event_subject(std::string_view host_id, std::string_view event);
[[nodiscard]] std::string event_subjects_of(std::string_view host_id);

} // namespace escort
