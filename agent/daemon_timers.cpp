// The daemon's clocks: the tick of a second, the next session's deadline, the wall clock being set.
#include "daemon.h"

#include "base/file.h"
#include "output/records.h"

#include <bpf/libbpf.h>
#include <csignal>
#include <fmt/format.h>
#include <limits>
#include <sys/timerfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

namespace escort {

namespace {
constexpr std::uint64_t kTickUs = 1'000'000;
constexpr std::uint64_t kSettleUs =
    20'000;                            // a look at the sessions that end while the daemon is asked to stop
constexpr unsigned kSettleLooks = 100; // so many, then it stops all the same
constexpr std::uint64_t kTicksToSave = 60;
constexpr std::uint64_t kTicksToReconcile = 30;
constexpr std::uint64_t kTicksToAskAgain = 5;
constexpr std::uint64_t kTicksToRefresh = 300; // accounts of a directory that no local file tells of
} // namespace

void Daemon::start_timers() {
    sd_event_source* source = nullptr;
    for (const int number : {SIGTERM, SIGINT}) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, number);
        sigprocmask(SIG_BLOCK, &set, nullptr);
        if (sd_event_add_signal(loop_.get(), &source, number, on_signal, this) >= 0)
            sources_.emplace_back(source);
    }
    if (ring_ != nullptr &&
        sd_event_add_io(loop_.get(), &source, ring_buffer__epoll_fd(ring_), EPOLLIN, on_ring, this) >= 0) {
        sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IMPORTANT); // before everything else
        sources_.emplace_back(source);
    }
    if (activity_ && sd_event_add_io(loop_.get(), &source, activity_->fd(), EPOLLIN, on_activity, this) >= 0)
        activity_source_.reset(source);
    if (sd_event_add_time_relative(loop_.get(), &source, CLOCK_MONOTONIC, kTickUs, 1000, on_tick, this) >= 0)
        tick_.reset(source);
    watch_wall_clock();
    arm_deadline();
}

int Daemon::on_signal(sd_event_source*, const signalfd_siginfo*, void* self) {
    auto& daemon = *static_cast<Daemon*>(self);
    if (daemon.agent_.sessions)
        if (const auto stoppers = daemon.agent_.sessions->end_stoppers(); !stoppers.empty())
            daemon.agent_.journal->write(tamper(
                "stop",
                fmt::format("a support session asked for it, and was ended: {}", fmt::join(stoppers, ", ")),
                "systemctl start escortd; what is pinned goes on deciding"));
    return on_settle(nullptr, 0, self);
}

// Sessions that are ending end under its eyes, so that their records have a reason: within 2 s, if they can.
int Daemon::on_settle(sd_event_source* source, std::uint64_t, void* self) {
    auto& daemon = *static_cast<Daemon*>(self);
    const bool waits = daemon.agent_.sessions && !daemon.agent_.sessions->ending().empty();
    if (!waits || ++daemon.settle_looks_ > kSettleLooks) return sd_event_exit(daemon.loop_.get(), 0);
    if (source == nullptr) {
        if (daemon.settle_) return 0; // asked twice
        if (sd_event_add_time_relative(daemon.loop_.get(), &source, CLOCK_MONOTONIC, kSettleUs, 1000,
                                       on_settle, self) < 0)
            return sd_event_exit(daemon.loop_.get(), 0);
        daemon.settle_.reset(source);
        return 0;
    }
    sd_event_source_set_time_relative(source, kSettleUs);
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int Daemon::on_tick(sd_event_source* source, std::uint64_t, void* self) {
    static_cast<Daemon*>(self)->tick();
    sd_event_source_set_time_relative(source, kTickUs);
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

void Daemon::tick() {
    ticks_++;
    sd_notify(0, "WATCHDOG=1");
    const Moment now = agent_.time->now();
    if (const auto step = agent_.time->take_step())
        agent_.journal->write(
            tamper("clock", "the wall clock was moved by " + std::to_string(*step) + " s",
                   "windows are kept on CLOCK_BOOTTIME and gain nothing; find out who set it"));
    agent_.store->retime(now);
    agent_.courier->tick(now.boot_ns);
    if (agent_.events) {
        if (const auto* told = agent_.courier->events()) agent_.events->delivered(told->delivered);
        agent_.events->tick(now.boot_ns);
    }
    write_state_again();
    check_copy();
    push_rules(); // windows that have begun
    if (agent_.sessions) {
        agent_.sessions->look_at_terminals();
        agent_.sessions->wake_attached();
    }
    if (agent_.sessions && agent_.sessions->next_recheck() <= now.boot_ns) agent_.sessions->rejudge();
    check_kernel();
    check_ring();
    check_room();
    if (activity_) {
        hear_ring(); // tells of the sessions
        activity_->tick(now.boot_ns);
    }
    if (ticks_ % kTicksToSave == 0) {
        const auto& conditions = agent_.health->conditions();
        if (conditions.contains("principals") || conditions.contains("state: principals")) tell_gate();
        agent_.documents->scan(); // what could not be persisted, or was missed
        if (auto saved = agent_.store->save_time(now); !saved)
            agent_.health->degrade("state: time", saved.error().text(),
                                   "check space and permissions of the state folder");
        else
            agent_.health->recover("state: time");
    }
    // Also until it works again: a full disk has room some time.
    if (agent_.sessions && (agent_.kernel->next_number() >= reserved_ ||
                            agent_.health->conditions().contains("state: sessions")))
        save_sessions();
    if (agent_.policies->account_files_changed() || ticks_ % kTicksToRefresh == 0) agent_.policies->refresh();
    // PID 1 comes back on the bus a moment after the bus itself.
    if (ticks_ % kTicksToAskAgain == 0 && agent_.health->conditions().contains("user_managers"))
        mask_user_managers();
    // One of them; when it is answered, all (wire_policies).
    if (ticks_ % kTicksToAskAgain == 0 && !unanswered_.empty())
        look_up({unanswered_.extract(unanswered_.begin()).value()});
    if (agent_.sessions && (agent_.sessions->looks_again() ||
                            (ticks_ % kTicksToReconcile == 0 && !agent_.sessions->table().live().empty())))
        reconcile();
    arm_deadline();
}

void Daemon::arm_deadline() {
    if (!agent_.sessions) return;
    const std::uint64_t next = agent_.sessions->next_recheck();
    if (next == kNever) {
        deadline_.reset();
        return;
    }
    const std::uint64_t next_us = next / 1000 + 1;
    if (deadline_) {
        sd_event_source_set_time(deadline_.get(), next_us);
        sd_event_source_set_enabled(deadline_.get(), SD_EVENT_ONESHOT);
        return;
    }
    sd_event_source* source = nullptr;
    if (sd_event_add_time(loop_.get(), &source, CLOCK_BOOTTIME, next_us, 1, on_deadline, this) >= 0)
        deadline_.reset(source);
}

int Daemon::on_deadline(sd_event_source*, std::uint64_t, void* self) {
    auto& daemon = *static_cast<Daemon*>(self);
    daemon.push_rules();
    daemon.agent_.sessions->rejudge();
    daemon.arm_deadline();
    return 0;
}

// A timer far away on the wall clock that is cancelled when the clock is set (timerfd_create(2)).
void Daemon::watch_wall_clock() {
    if (!clock_.valid()) clock_ = Fd(::timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC));
    itimerspec far{};
    far.it_value.tv_sec = std::numeric_limits<std::int32_t>::max();
    far.it_value.tv_sec *= 4;
    ::timerfd_settime(clock_.get(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, nullptr);
    sd_event_source* source = nullptr;
    if (!clock_source_ &&
        sd_event_add_io(loop_.get(), &source, clock_.get(), EPOLLIN, on_clock_set, this) >= 0)
        clock_source_.reset(source);
}

int Daemon::on_clock_set(sd_event_source*, int fd, std::uint32_t, void* self) {
    auto& daemon = *static_cast<Daemon*>(self);
    std::uint64_t expired = 0;
    (void)!::read(fd, &expired, sizeof expired); // ECANCELED: that is the news
    daemon.watch_wall_clock();
    daemon.agent_.store->retime(daemon.agent_.time->now());
    daemon.rules_changed(Changed::approvals);
    return 0;
}

// Trampolines are entered by way of ftrace: with `sysctl kernel.ftrace_enabled=0` they are attached, and none
// of them runs (register_ftrace_function(), ftrace_enable_sysctl()). The next start takes what does run.
void Daemon::leave_lost_trampolines() {
    if (settle_ || agent_.programs->hooks() != HookSet::fentry) return;
    const auto enabled = read_file("/proc/sys/kernel/ftrace_enabled", 16);
    if (!enabled || !enabled->starts_with('0')) return;
    told_of_tampering(
        "kernel",
        "kernel.ftrace_enabled is 0: the hooks `fentry` don't run any more, and the daemon starts again "
        "with others, which see less (until `sysctl kernel.ftrace_enabled=1` and `systemctl restart "
        "escortd`)");
    on_settle(nullptr, 0, this); // systemd starts it again (Restart=always)
}

// Are our programs attached, pinned and acting, and do the maps hold what we wrote there?
void Daemon::check_kernel() {
    if (!agent_.programs) return;
    leave_lost_trampolines();
    const auto repair = agent_.programs->repair();
    std::vector<std::string> found = agent_.kernel->restore();
    end_the_dead();
    for (const auto& name : repair.missing) {
        const bool pinless = name == "owner" || name == "clock" || name == "escort_tasks";
        found.push_back((pinless ? "" : "the pin of ") + name);
    }
    if (!repair.status) {
        agent_.health->degrade("pins", repair.status.error().text(), repair.status.error().hint);
        if (user_managers_) mount_bpffs(); // then the next look puts the pins back
    } else
        agent_.health->recover("pins");
    if (!found.empty() && found != tampered_)
        told_of_tampering("kernel", fmt::format("{} {} removed or changed, and {} put back",
                                                fmt::join(found, ", "), found.size() == 1 ? "was" : "were",
                                                repair.status ? "was" : "could not be"));
    tampered_ = std::move(found);
}

// The kernel ends a session that attacks, and says so; that word may have been lost.
void Daemon::end_the_dead() {
    const auto dead = agent_.kernel->take_dead();
    if (dead.empty()) return;
    hear_ring();
    for (const auto id : dead)
        agent_.sessions->end_unheard_attacker(id);
}

// Somebody has unmounted it. The daemon sees the host's mounts and can make none: PID 1 does, by a unit of
// ours.
void Daemon::mount_bpffs() {
    (void)bus_->call({"org.freedesktop.systemd1",
                      "/org/freedesktop/systemd1",
                      "org.freedesktop.systemd1.Manager",
                      "StartUnit",
                      {std::string("escortd-bpffs.service"), std::string("replace")}},
                     [this](const Result<MessageReader>& answer) {
                         if (!answer)
                             agent_.health->degrade("pins", answer.error().text(),
                                                    "mount -t bpf bpf /sys/fs/bpf");
                     });
}

// Nothing says which process did it. Only root could: every support session that has root now is ended.
void Daemon::told_of_tampering(const std::string& what, const std::string& why) {
    const auto ended = agent_.sessions ? agent_.sessions->end_suspects() : std::vector<std::string>();
    agent_.journal->write(
        tamper(what,
               ended.empty() ? why + "; no support session had root then"
                             : fmt::format("{}; ended for it, as the sessions that had root then: {}", why,
                                           fmt::join(ended, ", ")),
               "find out who did it; `escortctl doctor` proves that this host is enforced"));
}

// What found no room has no label: watched sessions go on so, and under a policy that came since they may
// not.
void Daemon::check_room() {
    if (!agent_.kernel) return;
    if (agent_.sessions->full())
        return agent_.health->degrade("room", "as many sessions are live as this host can follow",
                                      "`escortctl sessions` lists them; one more is refused");
    agent_.health->recover("room");
    const std::uint64_t refused = agent_.kernel->counters()[ESCORT_COUNT_SESSION_NO_ROOM];
    if (refused == no_room_seen_) return;
    look_up(agent_.sessions->adopt());
    // Else some have found none again.
    if (agent_.kernel->counters()[ESCORT_COUNT_SESSION_NO_ROOM] == refused) no_room_seen_ = refused;
}

// Heard of before the kernel opens windows again.
void Daemon::check_copy() {
    if (!agent_.kernel || !agent_.kernel->is_unheard_copy()) return;
    agent_.documents->forget_lists();
    agent_.kernel->heard_of_copy();
}

// What the ring holds comes first: it may tell of ends that the looks at tasks and counts would only guess.
void Daemon::reconcile() {
    hear_ring();
    agent_.sessions->reconcile();
}

void Daemon::check_ring() {
    if (!agent_.kernel) return;
    const std::uint64_t lost = agent_.kernel->counters()[ESCORT_COUNT_RING_FULL];
    if (lost <= ring_lost_) return;
    reconcile();
    look_up(agent_.sessions->adopt()); // uids that nobody has been told of
    // Told when there is room for it: a flood fills the journal's queue as well.
    if (agent_.journal->write(events_dropped(lost - ring_lost_, DropPlace::kernel))) ring_lost_ = lost;
}

} // namespace escort
