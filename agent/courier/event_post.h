// Session events to the broker: reads what the daemon has signed (feed/outbox.h), sends it, and says what has
// arrived. At least once: what was sent and not acknowledged is sent again, the same bytes under the same id.
// How it is sent is its owner's; so is the connection.
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
    std::string id; // the host's, and a hash of the document: nobody who has not read it can take its place
    std::string subject;
    std::string document;
};

class EventPost {
  public:
    static constexpr std::size_t kAtOnce = 64; // sent and not acknowledged
    static constexpr std::size_t kMostWaiting =
        16384; // names in memory; the folder is looked at again for more
    static constexpr std::uint64_t kAnswerMs = 15'000; // then all that had none are sent again

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
    void disconnected(const std::string& why);
    // Of one that was sent; an empty id: of all that had none yet. No error: the broker has it.
    void result(std::string_view id, const std::string& error);

    // `delivered` are those whose removal by the daemon was not seen yet.
    [[nodiscard]] const EventsReport& report() const { return report_; }

  private:
    void watch();
    void list();
    void noticed(std::string_view file);
    void removed(const std::string& file);
    void send_more();
    enum class Added { yes, not_now, never };
    [[nodiscard]] Added add(const std::string& file, std::vector<OutgoingEvent>& to);
    void arrived(const std::string& file);
    void batch_over();
    void pause();
    void set_error(std::string_view why);
    void change_report();
    static int on_change(sd_event_source*, const inotify_event* event, void* self);

    Ground ground_;
    EventsReport report_;
    std::set<std::string> waiting_;                               // files, in their order
    std::set<std::string> delivered_;                             // as report_.delivered
    using ById = std::map<std::string, std::string, std::less<>>; // the file
    ById sent_;
    ById late_;                // of a batch that was given up: answers may still come
    std::string last_tried_;   // of this batch
    std::string resume_after_; // where the next one begins
    bool more_in_folder_ = false;
    bool connected_ = false;
    bool pausing_ = false;
    bool failed_ = false; // one of this batch
    Backoff backoff_;
    Alarm again_;  // after a failure
    Alarm answer_; // no result
    Alarm look_;   // at the folder, where it was not there or holds more
    EventSource watch_;
};

} // namespace escort::courier
