// What the courier reports of its sources, for `status`, and whether documents still come at all. Reads the
// report; the courier itself is never met.
#pragma once

#include "feed/report.h"
#include "service/health.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace escort {

class CourierWatch {
  public:
    // `health` must outlive this. `report`: the file's path. `now_boot_ns`: from then on silence counts.
    CourierWatch(CourierSettings settings, std::string report, Health& health, std::uint64_t now_boot_ns);

    // Reads the report where it has changed, and degrades health once every source has failed for longer than
    // `stale_after`. Once a second; nothing where no source is set.
    void tick(std::uint64_t now_boot_ns);

    // A list of {name, state, last_success_seconds, last_list_seconds, next_try_seconds, failing_seconds,
    // documents, last_error}: ages, and null for never; of a source that nobody reports
    // only name, state "unknown" and last_error.
    [[nodiscard]] nlohmann::json sources_json(std::uint64_t now_boot_ns);

    // What the courier says of session events, as of the last time that the report was read; nullptr:
    // nothing.
    [[nodiscard]] const EventsReport* events() const { return report_ ? &report_->events : nullptr; }

  private:
    void read();

    CourierSettings settings_;
    std::string path_;
    Health& health_;
    std::uint64_t worked_ns_; // when a source was last known to work, or the daemon began
    std::string stamp_;       // of the file that was read last
    std::optional<CourierReport> report_;
    std::string unreadable_; // why there is none
};

} // namespace escort
