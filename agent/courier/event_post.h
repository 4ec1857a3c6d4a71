// Session events to the broker: reads what the daemon has signed (feed/outbox.h), sends it in its order, and
// knows how far the broker has it. At least once: what was sent and not acknowledged is sent again, under the
// same id. How it is sent is its owner's; so is the connection.
#pragma once

#include "courier/alarm.h"
#include "courier/backoff.h"
#include "feed/outbox.h"
#include "feed/report.h"

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <systemd/sd-event.h>
#include <vector>

namespace escort::courier {

struct OutgoingEvent {
    std::string id; // unique among all hosts' events, always the same for this one
    std::string subject;
    std::string document;
};

class EventPost {
  public:
    static constexpr std::size_t kAtOnce = 64;          // sent and not acknowledged
    static constexpr std::size_t kMostWaiting = 16'384; // names kept in memory; the folder has the others
    static constexpr std::uint64_t kAnswerMs = 15'000;  // then all of them are sent again

    struct Ground {
        sd_event* loop = nullptr;
        std::string folder; // the outbox
        std::string host_id;
        std::function<double()> random;                       // uniform in [0, 1)
        std::function<void(std::vector<OutgoingEvent>)> send; // result() is to follow for each
        std::function<void()> report_changed;
    };

    explicit EventPost(Ground ground);

    void start();
    // The broker can be reached (again): whatever was sent before may be lost.
    void connected();
    // Of one that was sent; an empty id: of all of them. No error: the broker has it.
    void result(std::string_view id, const std::string& error);

    [[nodiscard]] const EventsReport& report() const { return report_; }

  private:
    void watch();
    void list();
    void noticed(std::string_view file);
    void send_more();
    [[nodiscard]] bool add(const std::string& file, std::vector<OutgoingEvent>& to);
    void arrived();
    void failed(const std::string& why);
    static int on_change(sd_event_source*, const inotify_event* event, void* self);

    Ground ground_;
    EventsReport report_;
    std::set<std::string> waiting_;                        // files, in their order
    std::map<std::string, std::string, std::less<>> sent_; // by id: the file
    std::string last_sent_;
    bool more_in_folder_ = false;
    bool connected_ = false;
    bool pausing_ = false;
    Backoff backoff_;
    Alarm again_;  // after a failure
    Alarm answer_; // no result
    Alarm look_;   // for a folder that was not there
    EventSource watch_;
};

} // namespace escort::courier
