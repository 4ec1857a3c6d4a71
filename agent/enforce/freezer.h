// Freezes and thaws sessions: the one path that an absent escort, on_violation: freeze and `escortctl freeze`
// take.
//
//   lead (a line on its terminal gets through)  →  frozen in the verdict map  →  cgroup.freeze where it owns
//   its cgroup, SIGSTOP elsewhere  →  (again, until nothing of it runs)  →  still  →  upkeep until thaw() or
//   forget()
//
// A frozen cgroup says by an event that it stands. What is stopped by signal can be woken by any process of
// the same account, so a timer stops it again while any such session is frozen. It decides nothing, and says
// nothing to people.
#pragma once

#include "enforce/frozen_cgroup.h"
#include "enforce/stillness.h"
#include "kernel/state.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <systemd/sd-event.h>
#include <vector>

namespace escort {

struct Frozen {
    std::uint64_t id = 0;
    std::uint32_t processes = 0;  // that stand still
    std::uint32_t moving = 0;     // that still did not when patience ended (uninterruptible sleep), or 0
    std::uint64_t elapsed_ns = 0; // from freeze() on, the lead included
    bool gone = false;            // it was thawed or ended before it stood
};

class Freezer {
  public:
    using Done = std::function<void(const Frozen&)>;

    // Then a session is reported though a process of it is not stopped: one in uninterruptible sleep.
    static constexpr std::chrono::milliseconds kPatience{1000};

    // `state` and `loop` must outlive this.
    Freezer(const KernelState& state, sd_event* loop);
    ~Freezer();
    Freezer(const Freezer&) = delete;
    Freezer& operator=(const Freezer&) = delete;

    // Each session that has come to stand still, once for each freeze(); not for adopt().
    Done on_frozen;

    // Freezes a session after `lead`; it is the freezer that puts ESCORT_VERDICT_FROZEN into its verdict,
    // after it has seen what the user himself had stopped. Harmless when it is frozen. `done` is called when
    // it stands, perhaps before this returns.
    void freeze(std::uint64_t id, Done done = {}, std::chrono::microseconds lead = {});
    // Lets it go on, but for what had been stopped before. How many processes stood.
    std::size_t thaw(std::uint64_t id);
    // A session that the daemon before this one had frozen: held on. What its user had stopped himself is not
    // known any more, and is woken with the rest.
    void adopt(std::uint64_t id);
    // It has ended.
    void forget(std::uint64_t id);

    // Asked to stand still, standing or not yet.
    [[nodiscard]] bool is_frozen(std::uint64_t id) const { return held_.contains(id); }
    // Since when (CLOCK_BOOTTIME ns); 0: it is not frozen.
    [[nodiscard]] std::uint64_t frozen_since(std::uint64_t id) const;
    // What whoever writes a session's verdict must keep in it: ESCORT_VERDICT_FROZEN or 0.
    [[nodiscard]] std::uint32_t verdict_flag(std::uint64_t id) const;

  private:
    using Tasks = std::vector<escort_task>;
    enum class Phase { lead, stopping, still };
    struct Held {
        Phase phase = Phase::lead;
        std::uint64_t since_ns = 0;
        std::uint64_t begin_ns = 0;     // end of the lead
        std::set<StartedProcess> users; // stopped before: stay so
        std::map<std::uint64_t, std::unique_ptr<FrozenCgroup>> cgroups;
        std::map<StartedProcess, std::uint32_t> parents;
        std::set<StartedProcess> sent;   // SIGSTOP; it may still be pending when the session is thawed
        std::set<std::uint64_t> foreign; // cgroups that are not the session's alone
        std::uint32_t processes = 0;
        std::vector<Done> waiting;
        bool adopted = false;
    };
    struct Thawed {
        std::set<StartedProcess> users;
        unsigned passes = 0;
    };

    static int on_timer(sd_event_source* source, std::uint64_t, void* self);
    // Its tasks now; nothing: the kernel could not be asked.
    [[nodiscard]] std::optional<Tasks> look(std::uint64_t id) const;
    void begin(std::uint64_t id, Held& held, const std::optional<Tasks>& before);
    void pass(std::uint64_t id, Held& held, const std::optional<Tasks>& tasks);
    void take_cgroups(std::uint64_t id, Held& held, const Tasks& tasks);
    void reported(std::uint64_t id, Held& held, std::uint32_t moving);
    void wake_pass(std::uint64_t id, Thawed& thawed, const std::optional<Tasks>& tasks,
                   std::set<StartedProcess> also = {});
    void run();
    void arm();

    const KernelState& state_;
    sd_event* loop_;
    std::map<std::uint64_t, Held> held_;
    std::map<std::uint64_t, Thawed> thawed_; // woken, and looked at once more
    sd_event_source* timer_ = nullptr;
    std::uint64_t pause_us_ = 0;
};

} // namespace escort
