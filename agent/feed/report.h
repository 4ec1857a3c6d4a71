// What the courier says of its sources, and how it reaches the daemon: a small JSON file that the courier
// replaces whenever something has changed, and that is gone when no courier runs. The courier is
// unprivileged: `status` shows what it says, and whether documents still come at all; session events that it
// calls delivered are removed from the outbox. Nothing else follows from it. A report that doesn't parse
// counts as none.
#pragma once

#include "base/result.h"
#include "feed/settings.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace escort {

constexpr std::size_t kReportLimit = std::size_t{256} << 10; // bytes

enum class SourceState {
    starting, // not asked yet
    working,  // its last answer was good; for nats: connected and watching
    failing,
};

[[nodiscard]] const char* to_string(SourceState state);

// All times in CLOCK_BOOTTIME nanoseconds; 0: never.
struct SourceReport {
    std::string name;
    SourceState state = SourceState::starting;
    std::uint64_t last_success_ns = 0;
    std::uint64_t last_list_ns = 0;     // when a list of approvals last came from it, new or not
    std::uint64_t next_try_ns = 0;      // 0: waits for the server, or cnats tries by itself
    std::uint64_t failing_since_ns = 0; // the first failure since the last success
    std::uint64_t documents = 0;        // handed to the spool since the courier started
    std::string last_error;             // in words; stays after a success

    friend bool operator==(const SourceReport&, const SourceReport&) = default;
};

// Of the session events (feed/outbox.h).
struct EventsReport {
    std::vector<std::string> delivered; // files that the broker has (or can never have) and the daemon has
                                        // not removed, at most kMostDelivered
    std::uint64_t sent = 0;             // since the courier started
    std::string last_error;             // in words; empty after a success

    friend bool operator==(const EventsReport&, const EventsReport&) = default;
};

struct CourierReport {
    std::uint64_t started_ns = 0; // when the courier started
    std::vector<SourceReport> sources;
    EventsReport events{};

    friend bool operator==(const CourierReport&, const CourierReport&) = default;
};

// What a server says may be anything, and the report is read as strict JSON: control characters, and bytes
// that are no UTF-8, become ?; cut at 512 bytes.
[[nodiscard]] std::string report_text(std::string_view text);

// Where it lies: below `paths.run`, in a folder that belongs to the courier.
[[nodiscard]] std::string report_path(const std::string& run);

[[nodiscard]] std::string to_json(const CourierReport& report);
[[nodiscard]] Result<CourierReport> parse_report(std::string_view text);

// Since when no source works at all, by CLOCK_BOOTTIME nanoseconds; 0: one does. Without a report: `since`.
[[nodiscard]] std::uint64_t silent_since(const CourierReport* report, std::uint64_t since);

} // namespace escort
