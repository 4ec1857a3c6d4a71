// The courier: owns the loop and the sources, and writes the report. It has no rights but to write into the
// spool, and believes nothing that it carries.
#pragma once

#include "courier/alarm.h"
#include "courier/handover.h"
#include "courier/source.h"
#include "settings.h"

#include <memory>
#include <vector>

namespace escort::courier {

class Courier {
  public:
    explicit Courier(Settings settings);
    ~Courier();
    Courier(const Courier&) = delete;
    Courier& operator=(const Courier&) = delete;

    // Runs until SIGTERM or SIGINT; without sources returns at once. The process's exit code (contract §1).
    [[nodiscard]] int run();

  private:
    void add_sources();
    void watch_trust();
    void write_report();
    void tell_journal(const SourceReport& before, const SourceReport& now);
    [[nodiscard]] CourierReport report() const;

    struct UnrefLoop {
        void operator()(sd_event* loop) const { sd_event_unref(loop); }
    };

    Settings settings_;
    std::unique_ptr<sd_event, UnrefLoop> loop_;
    Handover handover_;
    Ground ground_;
    std::vector<std::unique_ptr<Source>> sources_;
    std::vector<EventSource> signals_;
    std::unique_ptr<Alarm> report_soon_;
    EventSource trust_;
    std::unique_ptr<Alarm> again_;
    unsigned asked_again_ = 0; // since the keys have changed
    bool report_due_ = false;
    bool report_failing_ = false;
    std::uint64_t started_ns_ = 0;
    CourierReport written_;
};

} // namespace escort::courier
