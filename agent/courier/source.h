// What every source of documents has in common: what it stands on, and what it says of itself.
#pragma once

#include "courier/handover.h"
#include "feed/report.h"

#include <functional>
#include <string>
#include <string_view>
#include <systemd/sd-event.h>
#include <vector>

namespace escort::courier {

// What all sources share; it outlives them.
struct Ground {
    sd_event* loop = nullptr;
    Handover* handover = nullptr;
    std::string host_id;
    std::vector<std::string> groups;
    std::function<double()> random;       // uniform in [0, 1); any thread may ask
    std::function<void()> report_changed; // some source's report() says something else now
};

class Source {
  public:
    Source() = default;
    virtual ~Source() = default;
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;

    // From now on documents come, until it is destroyed.
    virtual void start() = 0;
    // Everything that the source has is to be handed over once more.
    virtual void ask_again() {}
    [[nodiscard]] virtual const SourceReport& report() const = 0;
    // Of the session events, where this source takes them.
    [[nodiscard]] virtual const EventsReport* events() const { return nullptr; }
};

// A source's report, and who is told when it changes.
class Told {
  public:
    Told(std::string name, const Ground& ground) : ground_(ground) { report_.name = std::move(name); }

    // All is well; `next_try_ms` 0: it waits for the server.
    void works(std::uint64_t next_try_ms);
    // In words, one line. Its first such failure since the last success is when it began to fail.
    void fails(std::string_view why, std::uint64_t next_try_ms);
    // Something was wrong that is not the source's: it goes on working.
    void remarks(std::string_view why);
    // May one more document be handed over now? So many at once, and so many a second: what a source that has
    // gone mad sends must leave the spool to the others.
    static constexpr double kAtOnce = 1024;
    static constexpr double kEachSecond = 50;
    [[nodiscard]] bool may_take();
    // A document was handed to the spool, or was there already.
    void took(std::string_view document, bool is_new);
    [[nodiscard]] const SourceReport& report() const { return report_; }

  private:
    const Ground& ground_;
    SourceReport report_;
    double allowance_ = kAtOnce;
    std::uint64_t allowance_ns_ = 0; // when it was counted last
};

// Puts each of `documents` into the spool and counts it; at the first that finds no room it stops.
[[nodiscard]] Status hand_over(const Ground& ground, Told& told, const std::vector<std::string>& documents,
                               Handover::Durable durable);

} // namespace escort::courier
