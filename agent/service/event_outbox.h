// What the broker is told of sessions: signs each event of the journal's that is one of a session's life with
// the host's own key, and keeps it on the disk until the courier says that it has arrived (feed/outbox.h).
// Meets no network.
//
// offer() only takes the record; signing and writing follow when the loop has nothing more urgent. Bounded:
// what finds no room is counted, told as `events_dropped`, and missing in the events' numbers. What is not of
// an approved session may take half of the room, so that no flood of refused ones hides who was let in. Not
// fsync()ed: a power cut may cost the last seconds' events, which are then missing by their numbers; a killed
// daemon or a reboot costs none that was written.
#pragma once

#include "approvals/signing.h"
#include "output/journal.h"
#include "service/health.h"
#include "service/timekeeper.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <systemd/sd-event.h>

namespace escort {

struct OutboxPlaces {
    std::string folder;     // belongs to root; the courier's group reads it
    std::string key;        // the private key, mode 0600: made where it is not there
    std::string public_key; // PEM, for the broker: written at each start
    std::string number;     // the next event's, gone with the boot
};

class EventOutbox {
  public:
    static constexpr std::size_t kMostEvents = 8192; // on the disk and before
    static constexpr std::size_t kMostBytes = std::size_t{16} << 20;
    static constexpr std::size_t kMostUnwritten = 1024;
    static constexpr std::uint64_t kTurnNs = 5'000'000; // of writing, before the loop has its turn

    // Who it writes as, and to whom it speaks; all outlive it.
    struct Ground {
        sd_event* loop = nullptr;
        Timekeeper& time;
        Journal& journal;
        Health& health;
        std::string host_id;
        std::uint32_t boot = 0;
    };

    // Makes or reads the key, and finds what waits. An error says what can't be read or written.
    [[nodiscard]] static Result<std::unique_ptr<EventOutbox>> open(const Ground& ground, OutboxPlaces places);
    EventOutbox(const EventOutbox&) = delete;
    EventOutbox& operator=(const EventOutbox&) = delete;
    ~EventOutbox() = default;

    // Takes it, where it is a session's event.
    void offer(const Record& record, const Context& context);
    // Everything up to this file has reached the broker; empty: nothing is known.
    void delivered(const std::string& file);
    // Once a second: tells what was lost.
    void tick(std::uint64_t now_boot_ns);
    // Writes all that was offered, however long it takes: at the end.
    void flush();

    struct Counters {
        std::size_t waiting = 0;
        std::uint64_t dropped = 0; // since the daemon started
    };
    [[nodiscard]] Counters counters() const { return {files_.size() + unwritten_.size(), dropped_}; }
    [[nodiscard]] const std::string& key() const { return key_.thumbprint; }

  private:
    struct Unwritten {
        std::string file;
        std::string claims;
    };
    struct Unref {
        void operator()(sd_event_source* source) const { sd_event_source_disable_unref(source); }
    };

    EventOutbox(const Ground& ground, OutboxPlaces places, SigningKey key);
    [[nodiscard]] Status find_waiting();
    [[nodiscard]] Status read_number();
    [[nodiscard]] bool has_room(std::size_t bytes, bool approved) const;
    void write_for(std::uint64_t ns);
    [[nodiscard]] Status write(const Unwritten& event);
    void lose();
    void arm();
    static int on_turn(sd_event_source*, void* self);

    Ground ground_;
    OutboxPlaces places_;
    SigningKey key_;
    std::uint64_t next_ = 1;
    std::deque<Unwritten> unwritten_;
    std::map<std::string, std::size_t> files_; // bytes
    std::size_t bytes_ = 0;                    // of both
    std::uint64_t dropped_ = 0;
    std::uint64_t told_ = 0; // of those
    std::uint64_t told_boot_ns_ = 0;
    std::unique_ptr<sd_event_source, Unref> turn_;
};

} // namespace escort
