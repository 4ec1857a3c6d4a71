#include "daemon.h"

#include "base/clock.h"
#include "base/file.h"
#include "feed/keys.h"
#include "kernel/events.h"
#include "kernel/probe.h"
#include "output/records.h"
#include "sandbox/sandbox.h"
#include "service/session_state.h"

#include <bpf/libbpf.h>
#include <fstream>
#include <malloc.h>
#include <sstream>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

namespace escort {

namespace {

constexpr std::uint64_t kResolveUs = 2'500'000;   // the accounts' look-up at the start, at most
constexpr std::uint64_t kRingTurnNs = 50'000'000; // at the ring, at a time
constexpr int kRingTurnsAtStart = 40;             // 2 s: all that waits there, and what comes meanwhile

// Accounts of people begin here (login.defs(5)); 1000 where it isn't said.
std::uint32_t uid_min() {
    std::ifstream file("/etc/login.defs");
    std::string line, key;
    while (std::getline(file, line)) {
        std::istringstream words(line);
        std::uint32_t value = 0;
        if (words >> key && key == "UID_MIN" && words >> value) return value;
    }
    return 1000;
}

sd_event* new_loop() {
    sd_event* loop = nullptr;
    return sd_event_default(&loop) >= 0 ? loop : nullptr;
}
} // namespace

Daemon::Daemon(Settings settings, std::optional<Error> settings_problem)
    : loop_(new_loop()), waiters_(agent_, loop_.get()), settings_problem_(std::move(settings_problem)) {
    agent_.settings = std::move(settings);
}

Daemon::~Daemon() {
    server_.reset();
    if (ring_ != nullptr) ring_buffer__free(ring_);
}

Context Daemon::context() const {
    Context context;
    context.host = agent_.settings.host_id;
    context.tier = agent_.tier;
    if (agent_.rulebook) {
        context.mode = agent_.rulebook->observing() ? "observe" : "enforce";
        context.policy_sha256 = agent_.rulebook->policies().sha256;
    }
    return context;
}

int Daemon::run() {
    agent_.journal = std::make_unique<Journal>(context());
    agent_.health = std::make_unique<Health>(*agent_.journal);
    if (!loop_) return 1;
    (void)agent_.journal->attach(loop_.get());
    if (settings_problem_)
        agent_.health->degrade("settings", settings_problem_->text(), settings_problem_->hint);
    if (auto ready = start_state(); !ready) {
        agent_.journal->write(agent_degraded("state", ready.error().text(), ready.error().hint));
        (void)std::fprintf(stderr, "escortd: %s\n", ready.error().text().c_str());
        return 1;
    }
    if (auto kernel =
            start_kernel(agent_.settings.hooks == Hooks::automatic ? HookSet::fentry : HookSet::tracepoints);
        !kernel)
        agent_.health->degrade("enforcement", kernel.error().text(), kernel.error().hint);
    resolve_policies();
    start_sessions();
    starting_ = false;
    if (auto control = start_control(); !control) {
        (void)std::fprintf(stderr, "escortd: %s\n", control.error().text().c_str());
        return 1;
    }
    start_gate();
    start_logind();
    watch_folders();
    start_timers();
    announce();
    confine();
    const int result = sd_event_loop(loop_.get());
    sd_notify(0, "STOPPING=1");
    ::unlink(running_file().c_str());
    save_sessions();
    (void)agent_.store->save_time(agent_.time->now());
    if (agent_.events) agent_.events->flush();
    agent_.journal->write(agent_stopped(result < 0 ? "the event loop failed" : "asked to stop"));
    agent_.journal->flush();
    return result < 0 ? 1 : 0;
}

// The key's name holds the host's: a clone of an image with another id makes a key of its own.
void Daemon::start_events() {
    const Settings& settings = agent_.settings;
    if (events_source(settings.courier) == nullptr) return;
    agent_.events = std::make_unique<EventOutbox>(
        EventOutbox::Ground{loop_.get(), *agent_.time, *agent_.journal, *agent_.health, settings.host_id,
                            boot_},
        OutboxPlaces{settings.paths.outbox,
                     settings.paths.state + "/event-" + key_part(settings.host_id) + ".key",
                     settings.paths.run + "/event-key.pem", settings.paths.state + "/next-event"});
    agent_.journal->on_record = [this](const Record& record, const Context& context) {
        agent_.events->offer(record, context);
    };
}

Status Daemon::start_kernel(HookSet best) {
    const SessionState state = load_sessions();
    ProgramOptions options;
    options.pins = agent_.settings.paths.pins;
    options.best = best;
    options.uid_min = uid_min();
    options.boot = boot_;
    options.first_number = state.next;
    auto programs = Programs::start(options);
    if (!programs) return tl::unexpected(programs.error());
    agent_.programs = std::make_unique<Programs>(std::move(*programs));
    agent_.kernel = std::make_unique<KernelState>(*agent_.programs);
    agent_.sessions = std::make_unique<Sessions>(*agent_.kernel, *agent_.journal, *agent_.rulebook,
                                                 *agent_.time, loop_.get());
    agent_.sessions->restore(state.sessions);
    agent_.sessions->on_change = [this] { sessions_changed(); };
    agent_.sessions->on_ended = [this] { sessions_changed_soon(); };
    ring_ = ring_buffer__new(agent_.kernel->ring(), on_event, this, nullptr);
    if (ring_ == nullptr) return fail_errno("lifecycle ring", "open", errno);
    activity_ = std::make_unique<Activity>(*agent_.kernel, *agent_.journal, agent_.sessions->table(),
                                           *agent_.rulebook);
    if (auto attached = activity_->attach(agent_.programs->map("activity")); !attached) return attached;
    agent_.sessions->before_forgotten = [this](std::uint64_t id) { activity_->ended(id); };
    agent_.journal->on_drained = [this] { read_activity(); };
    return {};
}

void Daemon::stop_kernel() {
    ring_buffer__free(ring_);
    ring_ = nullptr;
    rules_.clear();
    agent_.journal->on_drained = nullptr;
    activity_source_.reset();
    activity_.reset();
    agent_.sessions.reset();
    agent_.kernel.reset();
    agent_.programs.reset();
}

// The accounts of the set are needed before anything is judged; a directory that hangs must not hold the
// start.
void Daemon::resolve_policies() {
    const auto done = std::make_shared<bool>(false);
    agent_.policies->reload([done](const PolicyReload&) { *done = true; });
    const std::uint64_t until = boot_ns() + kResolveUs * 1000;
    while (!*done && boot_ns() < until)
        if (sd_event_run(loop_.get(), 50'000) < 0) break;
    if (!*done) agent_.policies->go_on_without();
}

// The rules, then the word, then the proof.
Status Daemon::enforce() {
    check_copy();
    push_rules();
    if (auto taken = agent_.programs->take_over(); !taken) return taken;
    return prove_enforcement();
}

void Daemon::start_sessions() {
    if (!agent_.sessions) return;
    auto proof = enforce();
    while (!proof && next_best(agent_.programs->hooks()) != HookSet::none) {
        // Attached, but they don't fire: the next best set.
        const HookSet next = next_best(agent_.programs->hooks());
        stop_kernel();
        if (auto kernel = start_kernel(next); !kernel) {
            agent_.health->degrade("enforcement", kernel.error().text(), kernel.error().hint);
            return;
        }
        proof = enforce();
    }
    if (!proof) {
        agent_.health->degrade("enforcement", proof.error().text(), proof.error().hint);
    } else {
        agent_.tier = "kill";
        agent_.journal->set_context(context());
    }
    for (int turn = 0; turn < kRingTurnsAtStart; ++turn)
        if (!hear_ring()) break;
    reconcile();
    look_up(agent_.sessions->adopt());
}

Status Daemon::start_control() {
    control::ServerSettings settings;
    settings.path = agent_.settings.paths.run + "/control.sock";
    settings.group = control::group_id("escortd");
    settings.objection = [this](const control::Peer& peer, const std::string& request) {
        return object(peer, request);
    };
    auto server = control::Server::listen(loop_.get(), settings, requests(agent_, waiters_));
    if (!server) return tl::unexpected(server.error());
    server_ = std::move(*server);
    return {};
}

// A support session is no operator of the agent that watches it, whatever it has become.
std::optional<Error> Daemon::object(const control::Peer& peer, const std::string& request) const {
    if (!agent_.kernel) return std::nullopt;
    if (!peer.pidfd) return Error{request, "the process that asks has gone", ""};
    const auto id = agent_.kernel->label_of(peer.pidfd->get());
    if (!id) return std::nullopt;
    agent_.journal->write(
        tamper("control", "session " + session_name(*id) + " asked for `" + request + "`, which was refused",
               "`escortctl session " + session_name(*id) + "` says who it was"));
    return Error{request, "this is support session " + session_name(*id) + ", which may only look",
                 "ask the host's own administrator"};
}

// There while a daemon runs, in the run folder, which a reboot empties.
std::string Daemon::running_file() const {
    return agent_.settings.paths.run + "/running";
}

void Daemon::announce() {
    if (::access(running_file().c_str(), F_OK) == 0)
        agent_.journal->write(
            tamper("agent", "the daemon before this one was killed, or crashed; the kernel went on deciding",
                   "`systemctl status escortd` and `coredumpctl` say which; a signal from a "
                   "support session is told of by itself"));
    if (auto marked = write_file_atomically(running_file(), "", 0600); !marked)
        agent_.health->degrade("state", marked.error().text(),
                               "check space and permissions of the run folder");
    agent_.journal->write(
        agent_started(ESCORT_VERSION, agent_.programs ? to_string(agent_.programs->hooks()) : "none"));
    save_sessions();
    ::malloc_trim(0); // libbpf read the kernel's BTF: megabytes that are not needed again
    sd_notifyf(0, "READY=1\nSTATUS=tier %s, %zu policies, %zu principals", agent_.tier.c_str(),
               agent_.rulebook->policies().policies.size(), agent_.rulebook->principals().by_uid.size());
}

void Daemon::look_up(const std::set<std::uint32_t>& uids) {
    for (const auto uid : uids)
        agent_.policies->look_up(uid);
}

int Daemon::on_event(void* self, void* data, std::size_t size) {
    auto& daemon = *static_cast<Daemon*>(self);
    const auto event = decode_event(data, size);
    if (!event) return 0;
    if (event->type == ESCORT_EVENT_UNKNOWN)
        daemon.agent_.policies->look_up(event->uid);
    else
        daemon.agent_.sessions->on_event(*event);
    return boot_ns() < daemon.ring_until_ns_ ? 0 : -EAGAIN; // this one is done with; the rest waits
}

// Last of all: from here on the daemon can do no more than it needs.
void Daemon::confine() {
    if (auto confined = enter_sandbox(); !confined)
        agent_.health->degrade("sandbox", confined.error().text(),
                               "the daemon runs with all of root's power");
}

void Daemon::read_activity() {
    hear_ring(); // tells of the sessions
    const bool empty = activity_->drain();
    // What the journal has no room for stays in the ring, which would be readable for ever; on_drained goes
    // on.
    if (activity_source_)
        (void)sd_event_source_set_enabled(activity_source_.get(), empty ? SD_EVENT_ON : SD_EVENT_OFF);
}

int Daemon::on_activity(sd_event_source*, int, std::uint32_t, void* self) {
    static_cast<Daemon*>(self)->read_activity();
    return 0;
}

// What is in it, at once: a flood of births must not count all sessions for each. But for a while only: who
// fills it as fast as it is read must not hold up everything else. true: there is more.
bool Daemon::hear_ring() {
    int heard = 0;
    ring_until_ns_ = boot_ns() + kRingTurnNs;
    agent_.sessions->all_at_once([&] { heard = ring_buffer__consume(ring_); });
    return heard == -EAGAIN;
}

int Daemon::on_ring(sd_event_source* source, int, std::uint32_t, void* self) {
    auto& daemon = *static_cast<Daemon*>(self);
    const bool more = daemon.hear_ring();
    // Before everything else, but in a flood, when it takes turns with the rest.
    sd_event_source_set_priority(source, more ? SD_EVENT_PRIORITY_NORMAL : SD_EVENT_PRIORITY_IMPORTANT);
    daemon.arm_deadline();
    return 0;
}

} // namespace escort
