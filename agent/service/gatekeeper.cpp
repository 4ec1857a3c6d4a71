#include "service/gatekeeper.h"

#include "base/contains.h"
#include "gate/auth_info.h"
#include "output/notices.h"
#include "output/records.h"
#include "process/facts.h"
#include "process/peer_address.h"
#include "process/terminal.h"
#include "service/runtime_max.h"

#include <algorithm>

namespace escort {

namespace {

using gate::Decision;
using gate::GateAnswer;
using gate::GateLogin;
using gate::GateRequest;
using gate::Phase;

GateAnswer admitted(std::uint32_t runtime_max_s = 0) {
    return {Decision::admit, "", "", runtime_max_s};
}

// Has this very login authenticated the person? Root's su, cron, at and units authenticate nobody: they have
// not passed the gate in the sense of `admission: gate`, though their PAM stacks hold the module. sudo has
// given up its caller's uid by now, and tells who it was.
bool authenticates(Entry entry, const ProcessFacts& process, const GateRequest& request) {
    if (entry == Entry::sshd || entry == Entry::login) return true;
    if (entry == Entry::sudo) return !request.ruser.empty() && request.ruser != "root";
    return entry == Entry::su && process.uid != 0;
}

// login(1) opens its session, pam_keyinit's change of the uid included, before pam_setcred: its label must be
// there by then. Its account phase is in the same process, which ends where it fails. sshd's may be in
// another.
bool labels_in_account(const Login& login) {
    return login.entry == Entry::login;
}

// Does the process that asks become the session, or fork it? Others ask in an account's name and stay what
// they are (a print server, a hub of notebooks).
bool becomes_session(const Login& login) {
    return login.entry == Entry::sshd || login.entry == Entry::login || login.entry == Entry::su ||
           login.entry == Entry::sudo;
}

void send(const gate::GateReply& reply, const GateAnswer& answer) {
    switch (answer.decision) {
    case Decision::admit:
        return reply.admit(answer.reference, answer.runtime_max_s);
    case Decision::refuse:
        return reply.refuse(answer.reference, answer.message);
    case Decision::ignore:
        break;
    }
    reply.ignore();
}

} // namespace

void Gatekeeper::ask(const GateRequest& request, GateLogin login, const gate::GateReply& reply) {
    if (request.user.empty() || request.user == "root") return reply.ignore();
    if (agent_.rulebook->uid_of(request.user))
        return send(reply, decide(request, login, *agent_.rulebook->governed_name(request.user)));
    // An account of today: a policy's pattern may name it, a directory have put it into a support group.
    const auto process = std::make_shared<GateLogin>(std::move(login));
    agent_.nss->by_name(
        request.user, [this, request, process, reply](const Result<std::optional<Account>>& found) {
            if (found && *found && agent_.policies->add(**found))
                agent_.policies->on_looked_up((*found)->uid, Policies::Found::principal);
            // A login that has given up waiting is refused already: it must not be labelled any more.
            if (!reply.waiting()) return;
            if (agent_.rulebook->uid_of(request.user))
                return send(reply, decide(request, *process, *agent_.rulebook->governed_name(request.user)));
            const auto named = agent_.rulebook->governed_name(request.user);
            if (!named || found) return reply.ignore(); // nobody of ours, or no account at all
            // Named by a policy, and the name service can't say which account that is.
            Verdict verdict;
            verdict.reason = Reason::unproven;
            verdict.reasons = {verdict.reason};
            verdict.rules.push_back(
                {"principals", Check::fail, found.error().text(), named->policy->place.text()});
            verdict.observe = agent_.rulebook->observing() || named->policy->mode.value == Mode::observe;
            if (!verdict.ends()) return reply.ignore();
            send(reply, refuse(describe(request, *process, *named), std::move(verdict)));
        });
}

Login Gatekeeper::describe(const GateRequest& request, const GateLogin& process,
                           const Governed& governed) const {
    Login login;
    login.governed = governed;
    login.uid = agent_.rulebook->uid_of(governed.account).value_or(UINT32_MAX);
    login.pid = static_cast<std::uint32_t>(process.pid);
    login.pidfd = process.pidfd.get();
    if (const auto held = Process::open(process.pid)) {
        if (const auto facts = held->facts()) {
            login.entry = way_in(*facts);
            login.proven.gated = authenticates(login.entry, *facts, request);
            login.comm = facts->comm;
            login.exe = facts->program();
            login.cgroup = facts->cgroup_parent + "/" + facts->cgroup;
        }
        login.tty = terminal_of(*held).value_or("");
        if (const auto peer = peer_address(*held)) {
            login.proven.source = peer->address;
            login.proven.source_from = "socket of sshd, pid " + std::to_string(peer->pid);
        }
    }
    login.key_later = request.phase != Phase::session && login.entry == Entry::sshd;
    // Only sshd's word: to others it is a variable of PAM's environment, which their stacks may let people
    // set.
    if (request.phase == Phase::session && login.entry == Entry::sshd)
        if (const auto proven = gate::read_auth_info(request.auth_info); !proven.keys.empty()) {
            login.proven.key = proven.keys.front().fingerprint;
            login.proven.key_id = proven.keys.front().key_id;
            login.proven.key_from = "sshd, by PAM (SSH_AUTH_INFO_0)";
        }
    return login;
}

GateAnswer Gatekeeper::decide(const GateRequest& request, const GateLogin& process,
                              const Governed& governed) {
    const Login login = describe(request, process, governed);
    if (request.service == "systemd-user" && login.entry == Entry::systemd)
        return user_manager(request, login);
    if (const Session* session = agent_.sessions->of_process(login.pidfd))
        return inside(request, login, *session);
    Verdict verdict = agent_.sessions->preview(login);
    if (verdict.ends()) return refuse(login, std::move(verdict));
    const bool full = agent_.sessions->full();
    // Where it is only watched, the kernel programs open it once somebody takes the account's uid.
    const bool watched = verdict.observe || verdict.log_only;
    const bool labels =
        (request.phase != Phase::account || labels_in_account(login)) && (becomes_session(login) || !watched);
    Status opened;
    if (full) // in the first phase: the person reads why
        opened = fail("gate", "as many sessions are live as this host can follow");
    else if (labels)
        opened = agent_.sessions->admit(login, verdict);
    if (!opened) {
        if (!full) // a condition of its own
            agent_.health->degrade("gate", opened.error().text(),
                                   "logins of support accounts are refused until it works");
        verdict.ruling = Ruling::denied;
        verdict.hold = Hold::none;
        verdict.reason = full ? Reason::session_limit : Reason::ungated;
        verdict.reasons = {verdict.reason};
        verdict.rules.push_back({"gate", Check::fail, opened.error().text(), ""});
        if (!verdict.ends()) return admitted(); // only watched: it goes on without a record
        return refuse(login, std::move(verdict));
    }
    if (!labels) return admitted();
    agent_.health->recover("gate");
    return admitted(runtime_max(login, verdict, agent_.time->now().boot_ns));
}

// Nothing where the kernel's own clock ends sessions that sleep.
std::uint32_t Gatekeeper::runtime_max(const Login& login, const Verdict& verdict,
                                      std::uint64_t opened_boot_ns) {
    if (!needs_runtime_max(agent_.programs->clock()) || !verdict.approval) return 0;
    const Moment now = agent_.time->now();
    const auto approval = agent_.rulebook->ledger().find(*verdict.approval, now);
    if (!approval) return 0;
    return runtime_max_s(verdict, *approval, *login.governed.policy, opened_boot_ns, now);
}

// The login process carries a session's label: its own, put there a phase ago, or that of the session in
// which somebody called su or sudo.
GateAnswer Gatekeeper::inside(const GateRequest& request, const Login& login, const Session& session) {
    if (session.account == login.governed.account) {
        if (request.phase != Phase::session || session.pid != login.pid) return admitted();
        const std::uint64_t id = session.id;
        const std::uint64_t opened_boot_ns = session.opened_boot_ns;
        const Verdict verdict = agent_.sessions->prove(id, login);
        if (!verdict.ends()) return admitted(runtime_max(login, verdict, opened_boot_ns));
        return {
            Decision::refuse, session_name(id),
            refusal_line(login.governed.account, agent_.settings.host_id, verdict.reason, session_name(id))};
    }
    const bool named = contains(session.verdict.also, login.governed.account);
    const Policy& policy = *login.governed.policy; // a session that is only watched is no way into another's
    const bool watched = agent_.rulebook->observing() || policy.mode.value == Mode::observe ||
                         policy.on_violation.value == Violation::log;
    if (named || watched)
        return admitted(); // the kernel and the sessions judge the rest, at the change of uid
    Verdict verdict;
    verdict.reasons = {Reason::no_approval};
    verdict.rules.push_back(
        {"approval.also", Check::fail,
         "session " + session_name(session.id) + " may not become " + login.governed.account,
         login.governed.policy->place.text()});
    return refuse(login, std::move(verdict));
}

GateAnswer Gatekeeper::user_manager(const GateRequest& request, const Login& login) {
    const bool observed = agent_.rulebook->observing() || login.governed.policy->mode.value == Mode::observe;
    const bool allowed = login.governed.policy->user_manager.value == UserManager::allow &&
                         agent_.sessions->approved_session_of(login.governed.account) != nullptr;
    const bool own = agent_.sessions->of_process(login.pidfd) != nullptr;
    const bool second = !own && agent_.sessions->has_user_manager(login.governed.account);
    if ((!allowed || second) && !observed) {
        Verdict verdict;
        verdict.reason = Reason::entry_denied;
        verdict.reasons = {verdict.reason};
        return refuse(login, std::move(verdict));
    }
    if (request.phase == Phase::account || own) return admitted();
    const bool full = agent_.sessions->full(); // a condition of its own
    if (const auto opened = agent_.sessions->admit_user_manager(login); !opened && !full)
        agent_.health->degrade("gate", opened.error().text(),
                               "user managers of support accounts don't start");
    return admitted(); // without a label the kernel refuses it
}

GateAnswer Gatekeeper::refuse(const Login& login, Verdict verdict) {
    const Reason reason = verdict.reason;
    const std::string reference = agent_.sessions->refuse(login, std::move(verdict));
    return {Decision::refuse, reference,
            refusal_line(login.governed.account, agent_.settings.host_id, reason, reference)};
}

} // namespace escort
