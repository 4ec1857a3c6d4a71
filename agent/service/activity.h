// What sessions run, from the kernel's activity ring into the journal; and how much of it was not recorded.
// Looks sessions up; changes none, decides nothing.
#pragma once

#include "base/result.h"
#include "core/session.h"
#include "kernel/activity.h"
#include "kernel/state.h"
#include "output/facts.h"
#include "output/journal.h"
#include "service/rulebook.h"

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

struct ring_buffer;

namespace escort {

class Activity {
  public:
    // All must outlive this.
    Activity(const KernelState& kernel, Journal& journal, SessionTable& table, const Rulebook& rulebook);
    Activity(const Activity&) = delete;
    Activity& operator=(const Activity&) = delete;

    // Opens the ring behind this map descriptor. Error: it is none, no memory.
    [[nodiscard]] Status attach(int ring);
    // Readable when much waits (bpf/exec_record.h): for the event loop. Owned by this object; -1: not
    // attached.
    [[nodiscard]] int fd() const;

    // Writes what the ring holds, as far as the journal takes it: the rest stays in the ring, which has more
    // room, and the kernel counts what finds none. To be called after the lifecycle ring has been drained,
    // which tells of the sessions; a record of a session that is unknown all the same waits for the next
    // call, and is then written with the session's id alone. True: nothing is left in the ring.
    bool drain();
    // Once a second: drains, and tells of what was not recorded, at most once a minute of each session.
    void tick(std::uint64_t now_boot_ns);
    // The session is over, and the kernel is about to forget it: the last of its records, and of its count.
    void ended(std::uint64_t id);

    // One record of the ring, as drain() reads it; what can't be decoded is counted with the lost ones.
    void take(std::span<const std::byte> bytes);

  private:
    struct Free {
        void operator()(ring_buffer* ring) const;
    };
    struct Told {
        std::uint64_t count = 0;
        std::uint64_t boot_ns = 0; // when
    };

    void write(const ExecRecord& record);
    void tell_over(std::uint64_t id, std::uint64_t over, std::uint64_t now_boot_ns);
    [[nodiscard]] bool is_due(const Told& told, std::uint64_t now_boot_ns) const;
    static int on_record(void* self, void* data, std::size_t size);

    const KernelState& kernel_;
    Journal& journal_;
    SessionTable& table_;
    const Rulebook& rulebook_;
    std::unique_ptr<ring_buffer, Free> ring_;
    std::vector<ExecRecord> waiting_; // of sessions that nobody has told of yet
    std::map<std::uint64_t, SessionRecord>
        over_early_; // over while records of theirs may still be in the ring
    std::map<std::uint64_t, Told> over_;
    Told full_;                    // records that found no room, of all sessions
    std::uint64_t over_seen_ = 0;  // of all sessions, when they were last looked at
    std::uint64_t unreadable_ = 0; // records
    bool over_untold_ = false;     // some session's count has not been told
};

} // namespace escort
