// Who tells whom that something has changed: documents, policies, accounts, logins.
#include "daemon.h"

#include "approvals/private_keys.h"
#include "base/file.h"
#include "gate/principals_file.h"
#include "output/records.h"

#include <malloc.h>

namespace escort {

namespace {
constexpr std::size_t kUnanswered = 1024; // uids; of more their next change of identity tells again
} // namespace

void Daemon::wire_documents() {
    agent_.documents->on_change = [this] { rules_changed(Changed::approvals); };
    agent_.documents->sessions_in_use = [this] {
        return agent_.sessions ? agent_.sessions->table().in_use(0) : Rulebook::InUse();
    };
    agent_.denials->on_change = [this] { rules_changed(Changed::approvals); };
    agent_.documents->on_outcome = [this](const Outcome& outcome) {
        if (outcome.ended_session && agent_.sessions)
            agent_.sessions->revoke(*outcome.ended_session, outcome.document.issuer);
        waiters_.judged(outcome);
        if (outcome.disposition == Disposition::accepted)
            ::malloc_trim(0); // a list's JSON is many times its size
    };
}

void Daemon::wire_policies() {
    agent_.policies->on_change = [this] {
        agent_.policies->on_renewed();
        agent_.journal->set_context(context());
        rules_changed(Changed::accounts);
    };
    agent_.policies->on_renewed = [this] {
        if (agent_.kernel) agent_.kernel->clear_known(); // who was nobody may be a principal now
    };
    agent_.policies->on_looked_up = [this](std::uint32_t uid, Policies::Found found) {
        if (found == Policies::Found::principal) rules_changed(Changed::accounts);
        if (found != Policies::Found::unknown)
            look_up(std::exchange(unanswered_, {}));
        else if (unanswered_.size() < kUnanswered)
            unanswered_.insert(uid);
        if (!agent_.kernel) return;
        if (found == Policies::Found::nobody)
            agent_.kernel->set_known(uid);
        else
            agent_.kernel->clear_known(uid); // told of again when it is seen again
    };
}

// New rules first, so that no session starts under the old ones while the live ones are judged again.
void Daemon::rules_changed(Changed what) {
    if (starting_) return;
    push_rules();
    if (agent_.sessions) {
        agent_.sessions->rejudge();
        if (what == Changed::accounts) look_up(agent_.sessions->adopt());
    }
    if (what == Changed::accounts) {
        start_gate();
        mask_user_managers();
    }
    arm_deadline();
}

void Daemon::push_rules() {
    if (!agent_.kernel) return;
    auto rules = agent_.rulebook->kernel_rules(
        agent_.sessions ? agent_.sessions->table().in_use(0) : Rulebook::InUse(), agent_.time->now());
    if (rules == rules_) return;
    if (auto flipped = agent_.kernel->set_rules(rules); !flipped) {
        agent_.health->degrade("rules", flipped.error().text(), "the rules before it stay in force");
        return;
    }
    agent_.health->recover("rules");
    rules_ = std::move(rules);
}

void Daemon::start_gate() {
    // Who is support is what the last boot's file says then: refused as when the daemon is down.
    if (!agent_.policies->known()) return;
    tell_gate();
    if (gate_ || !agent_.sessions) return; // nothing could be labelled: refused as when it is down
    gatekeeper_ = std::make_unique<Gatekeeper>(agent_);
    gate::GateSettings settings;
    settings.path = agent_.settings.paths.run + "/gate.sock";
    auto server = gate::GateServer::listen(
        loop_.get(), settings,
        [this](const gate::GateRequest& request, gate::GateLogin login, const gate::GateReply& reply) {
            check_copy();
            gatekeeper_->ask(request, std::move(login), reply);
            arm_deadline();
        });
    if (!server) {
        agent_.health->degrade("gate", server.error().text(),
                               "support accounts are refused by PAM until it is there");
        return;
    }
    gate_ = std::move(*server);
}

void Daemon::tell_gate() {
    const auto mode = [this](const Policy& policy) {
        return agent_.rulebook->observing() || policy.mode.value == Mode::observe ? gate::Governed::observed
                                                                                  : gate::Governed::enforced;
    };
    gate::PrincipalsFile file;
    file.timeout = std::chrono::seconds(agent_.settings.gate.timeout_s);
    file.admit_when_down = agent_.settings.gate.admit_when_down;
    const auto& policies = agent_.rulebook->policies().policies;
    for (const auto& [uid, principal] : agent_.rulebook->principals().by_uid) {
        const auto governed = mode(policies.at(principal.policy));
        file.uids.push_back({uid, uid, governed});
        if (!principal.account.empty()) file.names.push_back({principal.account, governed});
    }
    for (const auto& policy : policies)
        for (const auto& user : policy.principals.users)
            file.patterns.push_back({user.value, mode(policy)});
    const std::string text = gate::write_principals(file);
    const auto write = [&](const std::string& folder, const char* condition) {
        if (auto written = write_file_atomically(folder + "/principals", text, 0644); written)
            agent_.health->recover(condition);
        else
            agent_.health->degrade(condition, written.error().text(),
                                   "check space and permissions of the folder");
    };
    write(agent_.settings.paths.run, "principals");
    write(agent_.settings.paths.state, "state: principals"); // for the next boot, until the daemon is there
}

UserManagerPaths user_manager_paths(const Settings& settings) {
    return {"/run/systemd/system", settings.paths.run + "/masked-managers"};
}

void Daemon::start_logind() {
    bus_ = std::make_unique<Bus>(loop_.get());
    user_managers_ = std::make_unique<UserManagers>(*bus_, user_manager_paths(agent_.settings));
    user_managers_->on_error = [this](const Error& error) {
        agent_.health->degrade("user_managers", error.text(), error.hint);
    };
    logind_ = std::make_unique<LogindClient>(*bus_);
    logind_->on_new = [this](const LoginSession& session) { found_login(session); };
    bus_->start();
    mask_user_managers();
}

void Daemon::found_login(const LoginSession& session) {
    if (agent_.sessions)
        agent_.sessions->found_logind(static_cast<std::uint32_t>(session.leader),
                                      session.audit_session == 0 ? std::nullopt
                                                                 : std::optional(session.audit_session),
                                      session.id, session.scope);
}

void Daemon::mask_user_managers() {
    if (!user_managers_) return;
    std::set<std::uint32_t> uids;
    const auto& policies = agent_.rulebook->policies().policies;
    for (const auto& [uid, principal] : agent_.rulebook->principals().by_uid) {
        const Policy& policy = policies.at(principal.policy);
        const bool enforced = !agent_.rulebook->observing() && policy.mode.value == Mode::enforce;
        if (enforced && policy.user_manager.value == UserManager::deny) uids.insert(uid);
    }
    if (auto set = user_managers_->set(uids); !set)
        agent_.health->degrade("user_managers", set.error().text(),
                               "their logins start a user manager that is refused, and leave a failed unit");
    else
        agent_.health->recover("user_managers");
}

// Who can sign on this host can approve himself.
void Daemon::check_private_keys() {
    std::string found;
    for (const auto& file :
         find_private_keys({"/etc/escortd", agent_.settings.paths.state}, agent_.store->trust()))
        found += (found.empty() ? "" : ", ") + file;
    if (found.empty())
        agent_.health->recover("private_keys");
    else
        agent_.health->degrade("private_keys", "the private half of a trusted key is on this host: " + found,
                               "for evaluation only: keep it with the broker, and remove it here");
}

} // namespace escort
