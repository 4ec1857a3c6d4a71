// The way into journald, which never blocks: journald may be stopped, its disk full, its socket's queue full,
// and enforcement goes on.
//
// libsystemd's sd_journal_sendv() (252) waits in sendmsg() for as long as nobody reads the socket (tried:
// with a stopped receiver it hung from the net.unix.max_dgram_qlen-th record on). So records go by journald's
// native protocol over a non-blocking datagram socket; what can't be sent waits in a bounded queue, in order,
// until the socket has room again (a timer besides, for when there is no journald). Both are watched only
// while something waits. Whoever has much to write (sessions' execs) stops while something waits, and goes on
// when on_drained says so. What finds the queue full (a
// session_exec or document_refused: half full, so that nobody can push verdicts out; sessions without an
// approval: three quarters full, so that a flood of refused starts leaves room for what is rare, as `tamper`
// and the end of an approved session) is counted, and the count is reported by an `events_dropped` record
// once the queue has drained.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "output/record.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <systemd/sd-event.h>

namespace escort {

constexpr const char* kJournalSocket = "/run/systemd/journal/socket";

class Journal {
  public:
    // All that a full ring of the kernel's tells of, read in one turn: 3,700 events, some 1 KiB a record.
    static constexpr std::size_t kQueueRecords = 16'384;
    static constexpr std::size_t kQueueBytes = std::size_t{16} << 20;
    static constexpr std::chrono::milliseconds kRetry{250};

    struct Counters {
        std::uint64_t sent = 0;
        std::uint64_t dropped = 0; // in all
        std::size_t queued = 0;
    };

    explicit Journal(Context context, std::string socket_path = kJournalSocket);
    Journal(const Journal&) = delete;
    Journal& operator=(const Journal&) = delete;
    ~Journal() = default;

    // Retries by sources of this loop, which must outlive the journal. Without it only flush() retries.
    [[nodiscard]] Status attach(sd_event* loop);

    // For records from now on: the tier and the policy are known only after the first of them.
    void set_context(Context context) { context_ = std::move(context); }

    // Sends, or queues, or counts. Never blocks. false: counted only, since the queue is full.
    bool write(const Record& record);

    // Sends what waits, as far as it goes.
    void flush();

    [[nodiscard]] Counters counters() const;
    [[nodiscard]] bool waiting() const { return !queue_.empty(); }
    // Told of each record at write(), whether journald takes it or not.
    std::function<void(const Record&, const Context&)> on_record;
    // Called from the loop when nothing waits any more.
    std::function<void()> on_drained;

  private:
    enum class Sent { yes, later };

    [[nodiscard]] Sent send(const std::string& datagram);
    [[nodiscard]] Sent send_large(const std::string& datagram);
    [[nodiscard]] bool connect();
    void report_dropped();
    void arm();
    void watch_room();
    void retry();
    static int on_timer(sd_event_source* source, std::uint64_t when, void* self);
    static int on_room(sd_event_source* source, int fd, std::uint32_t events, void* self);

    struct Unref {
        void operator()(sd_event_source* source) const { sd_event_source_disable_unref(source); }
    };

    Context context_;
    std::string path_;
    Fd socket_;
    std::deque<std::string> queue_;
    std::size_t queue_bytes_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t dropped_ = 0;
    std::uint64_t dropped_unreported_ = 0;
    sd_event* loop_ = nullptr;
    std::unique_ptr<sd_event_source, Unref> timer_;
    std::unique_ptr<sd_event_source, Unref> room_; // on socket_
};

} // namespace escort
