// Ends sessions: the one path that expiry, revocation, a denied verdict and `escortctl kill` all take.
//
//   dead in the verdict map  →  sweep  →  (again, while any task lives)  →  the last task's exit is the end
//
// All that end in one turn of the loop are marked first and then killed together, in one pass over the tasks.
// The end is the kernel's event; the timer only comes back for what forked or slept meanwhile.
#pragma once

#include "base/result.h"
#include "enforce/reserve.h"
#include "enforce/sweep.h"
#include "kernel/state.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <systemd/sd-event.h>
#include <utility>

namespace escort {

struct Ended {
    std::uint64_t id = 0;
    std::uint32_t processes = 0;  // found alive, each counted once
    std::uint64_t elapsed_ns = 0; // from begin() to the last task's exit
};

// A session of which something still lives though it has been signalled: in uninterruptible sleep, or held at
// its exit by a debugger. None of it gets to another instruction of its own.
struct Lingering {
    std::uint64_t id = 0;
    std::size_t tasks = 0;        // alive; each dies when it wakes
    std::uint32_t processes = 0;  // found alive so far
    std::uint64_t elapsed_ns = 0; // since begin()
};

class Ender {
  public:
    using Done = std::function<void(const Ended&)>;

    // `state` and `loop` must outlive this. `done` is called once for every session that has ended, whether
    // or not begin() asked for it, never from within begin().
    Ender(const KernelState& state, sd_event* loop, Done done);
    ~Ender();
    Ender(const Ender&) = delete;
    Ender& operator=(const Ender&) = delete;

    // Marks the session dead, so that nothing new starts in it; it is killed right after the event that the
    // loop is in, or `after` some time (what carries a last line to the person must live that long). Harmless
    // when it is already ending.
    void begin(std::uint64_t id, std::chrono::microseconds after = {});
    // The kernel says that the session's last task is gone, at this CLOCK_BOOTTIME.
    void last_task_gone(std::uint64_t id, std::uint64_t when_ns);
    [[nodiscard]] bool ending(std::uint64_t id) const { return endings_.contains(id); }

    // Called once for a session that still lives kPatience after it was first signalled; its end goes on.
    std::function<void(const Lingering&)> on_lingering;
    static constexpr std::chrono::seconds kPatience{5};

  private:
    struct Ending {
        std::uint64_t begun_ns = 0;
        std::uint64_t first_pass_ns = 0; // CLOCK_BOOTTIME
        unsigned empty_passes = 0;
        bool told = false;     // on_lingering
        bool stubborn = false; // the last pass found new processes, or could not signal all
        ProcessSet processes;
        ProcessSet signalled;
    };
    static int on_turn(sd_event_source* source, void* self);
    static int on_timer(sd_event_source* source, std::uint64_t, void* self);
    void passes();
    bool pass(std::uint64_t id, Ending& ending, const SweepResult& result); // true: nothing lives any more
    void soon();
    void arm();
    void finish(std::uint64_t id, std::uint64_t when_ns);

    const KernelState& state_;
    sd_event* loop_;
    Done done_;
    Reserve reserve_;
    std::map<std::uint64_t, Ending> endings_;
    std::set<std::uint64_t> reconciled_; // ended without the kernel's word, which may come late
    sd_event_source* turn_ = nullptr;
    sd_event_source* timer_ = nullptr;
    std::uint64_t pause_us_ = 0;
};

} // namespace escort
