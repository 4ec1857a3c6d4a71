#include "base/clock.h"
#include "base/file.h"
#include "daemon.h"

#include <algorithm>
#include <cstdio>
#include <sys/stat.h>

namespace escort {

namespace {

constexpr std::uint64_t kNumbersReserved = 1024;   // session numbers, so that state isn't written for each
constexpr std::uint64_t kNumbersUnused = 1U << 31; // from here on: far beyond what a boot gives out

// No key at all, and why.
TrustSet no_trust(const Error& why) {
    TrustSet none;
    none.problems.push_back({Severity::error, {why.where, 0, 0}, why.why, why.hint});
    return none;
}

} // namespace

// Documents, keys, policies: everything that needs no kernel.
Status Daemon::start_state() {
    const Settings& settings = agent_.settings;
    if (::mkdir(settings.paths.run.c_str(), 0755) != 0 && errno != EEXIST)
        return fail_errno(settings.paths.run, "create", errno);
    ::mkdir(settings.paths.state.c_str(), 0700); // where it can't be, what reads and writes there says so
    agent_.denials = std::make_unique<LocalDenials>(LocalDenials::load(settings.paths.state));
    const auto trust = load_trust({settings.paths.trust, settings.paths.breakglass});
    agent_.store =
        std::make_unique<Store>(StorePaths{settings.paths.spool, settings.paths.state},
                                LedgerSettings{settings.host_id, settings.groups, settings.stale_grace_s},
                                trust ? *trust : no_trust(trust.error()), settings.issuers);
    const auto loaded = load_documents();
    agent_.time = std::make_unique<Timekeeper>(agent_.store->time());
    agent_.started = agent_.time->now().trusted;
    agent_.rulebook = std::make_unique<Rulebook>(
        RulebookSources{agent_.store->ledger(), agent_.store->presence(), agent_.denials->all()},
        settings.mode_override == Mode::observe);
    agent_.nss = std::make_unique<NssClient>(loop_.get());
    agent_.policies =
        std::make_unique<Policies>(PolicyPaths{settings.paths.policies, settings.paths.state},
                                   *agent_.rulebook, *agent_.nss, *agent_.journal, *agent_.health);
    agent_.documents = std::make_unique<Documents>(*agent_.store, *agent_.time, *agent_.journal,
                                                   *agent_.health, settings.paths.spool);
    agent_.courier = std::make_unique<CourierWatch>(settings.courier, report_path(settings.paths.run),
                                                    *agent_.health, boot_ns());
    agent_.reload_trust = [this] {
        auto again = load_trust({agent_.settings.paths.trust, agent_.settings.paths.breakglass});
        check_private_keys();
        if (again)
            agent_.documents->reverify(std::move(*again), agent_.settings.issuers);
        else
            agent_.health->degrade("trust", again.error().text(), "check trust.d");
    };
    if (!trust) agent_.documents->wait_for_keys();
    agent_.documents->tell_kept(loaded.problems);
    auto boot = boot_number();
    if (!boot) return tl::unexpected(boot.error());
    boot_ = *boot;
    start_events();
    check_private_keys();
    wire_documents();
    wire_policies();
    if (auto watched = agent_.documents->watch(loop_.get()); !watched)
        agent_.health->degrade("spool", watched.error().text(), "documents are not seen until it is there");
    agent_.documents->scan();
    return {};
}

// What can't be read admits nobody: a start that failed would admit everybody, once the host has booted anew.
LoadReport Daemon::load_documents() {
    const auto without = [this](const Error& error) {
        agent_.health->degrade("state: documents", error.text() + "; no approval counts",
                               error.hint.empty() ? "put the file right (docs/operations.md, State), and "
                                                    "restart escortd"
                                                  : error.hint);
        return LoadReport();
    };
    if (const auto& problem = agent_.denials->problem()) return without(*problem);
    auto loaded = agent_.store->load({wall_seconds(), boot_ns()});
    return loaded ? std::move(*loaded) : without(loaded.error());
}

// Where it can't be read its sessions are judged afresh.
SessionState Daemon::load_sessions() {
    const std::string file = agent_.settings.paths.state + "/sessions.json";
    auto state = load_session_state(file, boot_);
    if (state) return std::move(*state);
    const std::string unread = file + ".unread";
    const bool kept = ::rename(file.c_str(), unread.c_str()) == 0;
    agent_.health->degrade("state: sessions", state.error().text() + "; live sessions are judged afresh",
                           kept ? "it is " + unread + " now, to look at" : state.error().hint);
    return {boot_, kNumbersUnused, {}};
}

// A session that begins or ends may close or open its approval's window.
void Daemon::sessions_changed() {
    push_rules();
    arm_deadline();
    save_sessions();
}

// Once for all that have ended in this turn of the loop: each save waits for the disk.
void Daemon::sessions_changed_soon() {
    if (!changed_) {
        sd_event_source* source = nullptr;
        if (sd_event_add_defer(loop_.get(), &source, on_changed, this) < 0) return sessions_changed();
        changed_.reset(source);
    }
    if (sd_event_source_set_enabled(changed_.get(), SD_EVENT_ONESHOT) < 0) sessions_changed();
}

int Daemon::on_changed(sd_event_source*, void* self) {
    static_cast<Daemon*>(self)->sessions_changed();
    return 0;
}

void Daemon::save_sessions() {
    if (!agent_.sessions) return;
    reserved_ = std::max(reserved_, agent_.kernel->next_number() + kNumbersReserved);
    const SessionState state{boot_, reserved_, agent_.sessions->kept()};
    if (auto saved = save_session_state(agent_.settings.paths.state + "/sessions.json", state); !saved)
        agent_.health->degrade("state: sessions", saved.error().text(),
                               "check space and permissions of the state folder");
    else
        agent_.health->recover("state: sessions");
}

} // namespace escort
