// The daemon: owns the loop and wires the parts together. It decides nothing.
//
//   daemon.cpp         the start, in its order, and the end
//   daemon_state.cpp   what outlives a restart: read, and saved
//   daemon_wiring.cpp  who tells whom that something has changed
//   daemon_timers.cpp  the clocks
#pragma once

#include "control/server.h"
#include "gate/server.h"
#include "logind/client.h"
#include "logind/user_managers.h"
#include "process/folder_watch.h"
#include "service/activity.h"
#include "service/agent.h"
#include "service/gatekeeper.h"
#include "service/guarded_files.h"
#include "service/requests.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <systemd/sd-event.h>
#include <vector>

struct ring_buffer;

namespace escort {

// Where the masks of user managers are made, and which of them are ours.
[[nodiscard]] UserManagerPaths user_manager_paths(const Settings& settings);

class Daemon {
  public:
    // `settings_problem`: these aren't what the settings file says.
    explicit Daemon(Settings settings, std::optional<Error> settings_problem = {});
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    // Runs until SIGTERM or SIGINT. The process's exit code (contract §1). What is pinned stays and goes on
    // deciding.
    [[nodiscard]] int run();

  private:
    struct Unref {
        void operator()(sd_event* loop) const { sd_event_unref(loop); }
        void operator()(sd_event_source* source) const { sd_event_source_disable_unref(source); }
    };
    using Source = std::unique_ptr<sd_event_source, Unref>;

    [[nodiscard]] Status start_state();
    [[nodiscard]] LoadReport load_documents();
    [[nodiscard]] SessionState load_sessions();
    void start_events();
    [[nodiscard]] Status start_kernel(HookSet best);
    void stop_kernel();
    void resolve_policies();
    [[nodiscard]] Status enforce();
    void start_sessions();
    [[nodiscard]] Status start_control();
    [[nodiscard]] std::optional<Error> object(const control::Peer& peer, const std::string& request) const;
    void start_gate();
    void start_logind();
    void watch_folders(); // our own, and those that others take orders from: who changes what is in them
    [[nodiscard]] std::optional<std::uint64_t> session_of(const FolderChange& change) const;
    [[nodiscard]] bool is_own_job(const FolderChange& change) const;
    void changed_by(const FolderChange& change);
    void write_state_again();
    [[nodiscard]] std::string kept_policies() const;
    void left_behind_by(const GuardedFolder& folder, const FolderChange& change);
    void told_of_mask(const FolderChange& change);
    void confine();
    void start_timers();
    void announce();
    [[nodiscard]] std::string running_file() const;
    [[nodiscard]] Context context() const; // of every journal entry from now on
    void wire_documents();
    void wire_policies();

    enum class Changed { approvals, accounts }; // accounts: policies or accounts
    void rules_changed(Changed what);           // new rules first, then every session again
    void push_rules();
    void tell_gate();          // whom its module must ask about
    void mask_user_managers(); // whose the policies allow none
    void found_login(const LoginSession& session);
    void check_private_keys();
    void tick();
    void arm_deadline();
    void watch_wall_clock();
    void check_kernel();
    void leave_lost_trampolines();
    void mount_bpffs();
    void told_of_tampering(const std::string& what, const std::string& why);
    bool hear_ring();
    void end_the_dead();
    void reconcile();
    void check_copy();
    void check_ring();
    void check_room();
    void read_activity();
    void sessions_changed();
    void sessions_changed_soon();
    void save_sessions();
    void look_up(const std::set<std::uint32_t>& uids);

    static int on_signal(sd_event_source*, const signalfd_siginfo*, void* self);
    static int on_settle(sd_event_source*, std::uint64_t, void* self);
    static int on_changed(sd_event_source*, void* self);
    static int on_tick(sd_event_source*, std::uint64_t, void* self);
    static int on_deadline(sd_event_source*, std::uint64_t, void* self);
    static int on_clock_set(sd_event_source*, int fd, std::uint32_t, void* self);
    static int on_ring(sd_event_source*, int fd, std::uint32_t, void* self);
    static int on_activity(sd_event_source*, int fd, std::uint32_t, void* self);
    static int on_event(void* self, void* data, std::size_t size);

    // Enforcement goes first (SD_EVENT_PRIORITY_IMPORTANT). All else has one priority, and takes turns: below
    // it a flood of documents, or of births, would starve it. The outbox alone may wait (IDLE).
    std::unique_ptr<sd_event, Unref> loop_;
    Agent agent_;
    DocumentWaiters waiters_;
    std::optional<Error> settings_problem_;
    std::unique_ptr<control::Server> server_;
    std::unique_ptr<Gatekeeper> gatekeeper_;
    std::unique_ptr<gate::GateServer> gate_;
    std::unique_ptr<Bus> bus_;
    std::unique_ptr<LogindClient> logind_;
    std::unique_ptr<UserManagers> user_managers_;
    std::unique_ptr<Activity> activity_;
    std::vector<std::unique_ptr<FolderWatch>> watches_;
    ring_buffer* ring_ = nullptr;
    Fd clock_;
    std::vector<Source> sources_;
    Source tick_, deadline_, clock_source_, settle_, changed_, activity_source_;
    unsigned settle_looks_ = 0;
    bool state_touched_ = false;        // by somebody else; written again at the next tick
    std::vector<KernelRule> rules_;     // in force
    std::vector<std::string> tampered_; // what the last look at the kernel found changed
    std::uint64_t ticks_ = 0;
    std::uint64_t ring_lost_ = 0;
    std::uint64_t ring_until_ns_ = 0;    // when the turn at the ring is over, CLOCK_BOOTTIME
    std::set<std::uint32_t> unanswered_; // uids that the name service could not look up: asked for again
    std::uint64_t no_room_seen_ = 0;     // the kernel's count of sessions without room, at the last adoption
    std::uint64_t reserved_ = 0;         // session numbers below this are in state already
    std::uint32_t boot_ = 0;
    bool starting_ = true;
};

} // namespace escort
