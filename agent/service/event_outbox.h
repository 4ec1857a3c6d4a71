// What the broker is told of sessions: signs each event of the journal's that is one of a session's life with
// the host's own key, and keeps it on the disk until the courier says that it has arrived (feed/outbox.h).
// Meets no network.
//
// offer() only numbers and takes the event; signing and writing follow when the loop has nothing more urgent,
// and again each second while something stands in the way. Bounded: what finds no room is counted, told as
// `events_dropped`, and missing in the numbers. What is not of an approved session may take half of the room,
// so that no flood of refused ones hides who was let in.
// Events are not fsync()ed: a power cut may cost the last seconds'; a killed daemon costs those that it had
// not written, which are then missing in the numbers.
#pragma once

#include "approvals/signing.h"
#include "output/journal.h"
#include "service/event_number.h"
#include "service/health.h"
#include "service/timekeeper.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <systemd/sd-event.h>
#include <vector>

namespace escort {

struct OutboxPlaces {
    std::string folder;     // belongs to root; the courier's group reads it
    std::string key;        // the private key, mode 0600: made where it is not there
    std::string public_key; // PEM, for the broker: written at each start
    std::string number;     // the next event's
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

    // Makes or reads the key, and finds what waits; what can't be done now is the condition `events`, and is
    // tried again.
    EventOutbox(const Ground& ground, OutboxPlaces places);
    EventOutbox(const EventOutbox&) = delete;
    EventOutbox& operator=(const EventOutbox&) = delete;
    ~EventOutbox() = default;

    // Takes it, where it is a session's event.
    void offer(const Record& record, const Context& context);
    // These have reached the broker, says the courier. Names that are not ours are passed over.
    void delivered(const std::vector<std::string>& files);
    // Once a second: tells what was lost, and writes what could not be written.
    void tick(std::uint64_t now_boot_ns);
    // At the end: writes all that was offered, however long it takes, and tells what was lost.
    void flush();

    struct Counters {
        std::size_t waiting = 0;
        std::uint64_t dropped = 0; // since the daemon started
    };
    [[nodiscard]] Counters counters() const { return {files_.size() + unwritten_.size(), dropped_}; }
    // Thumbprint (RFC 7638); empty while there is no key.
    [[nodiscard]] std::string key() const { return key_ ? key_->thumbprint : ""; }

  private:
    struct Unwritten {
        std::string file;
        std::string claims;
    };
    struct Unref {
        void operator()(sd_event_source* source) const { sd_event_source_disable_unref(source); }
    };

    [[nodiscard]] Status prepare();
    [[nodiscard]] Status find_waiting();
    [[nodiscard]] bool has_room(std::size_t bytes, bool approved) const;
    void write_for(std::uint64_t ns);
    [[nodiscard]] Status write_until(std::uint64_t boot_ns);
    [[nodiscard]] Status write(const Unwritten& event);
    void tell_lost();
    [[nodiscard]] bool has_much_room() const;
    void forget_removed();
    void arm();
    static int on_turn(sd_event_source*, void* self);

    Ground ground_;
    OutboxPlaces places_;
    EventNumber number_;
    std::optional<SigningKey> key_;
    bool listed_ = false;     // files_ is what the folder holds
    bool unwritable_ = false; // the condition `events` says so, and nothing else
    std::deque<Unwritten> unwritten_;
    std::map<std::string, std::size_t> files_; // bytes
    std::size_t bytes_ = 0;                    // of both
    std::uint64_t dropped_ = 0;
    std::uint64_t told_ = 0; // of those
    std::uint64_t told_boot_ns_ = 0;
    std::unique_ptr<sd_event_source, Unref> turn_;
};

} // namespace escort
