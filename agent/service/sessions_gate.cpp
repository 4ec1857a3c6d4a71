// Sessions that the PAM gate clears: judged before anything of them runs, labelled at the login process,
// proven before their first instruction as the account.
#include "service/sessions.h"

#include "output/records.h"

#include <algorithm>
#include <utility>

namespace escort {

namespace {

// How long a labelled login may take to prove its key: sshd's next step. A stack whose session line is
// missing never does.
constexpr std::uint64_t kKeyTimeNs = 10 * kNsPerSecond;

// A kernel verdict that admits nothing: for a number that only names a refusal.
constexpr escort_verdict kDead{0, ESCORT_VERDICT_DEAD | ESCORT_VERDICT_JUDGED, 0};

// For the login program to say why: nothing new starts in the session meanwhile.
constexpr std::chrono::microseconds kLastWords{100'000};

SessionFacts facts_of_login(const Login& login, std::uint64_t boot_ns) {
    SessionFacts facts;
    facts.account = login.governed.account;
    facts.entry = login.entry;
    facts.opened_boot_ns = boot_ns;
    facts.gated = login.proven.gated;
    facts.key_later = login.key_later;
    facts.source = login.proven.source;
    facts.key = login.proven.key;
    facts.key_id = login.proven.key_id;
    return facts;
}

} // namespace

Verdict Sessions::preview(const Login& login) const {
    const Moment now = time_.now();
    return rulebook_.judge(login.governed, facts_of_login(login, now.boot_ns), table_.in_use(0), now);
}

Session Sessions::describe(const Login& login) const {
    const Moment now = time_.now();
    Session session;
    session.account = login.governed.account;
    session.uid = login.uid;
    session.entry = login.entry;
    session.policy = login.governed.policy->name;
    session.proven = login.proven;
    session.opened_boot_ns = now.boot_ns;
    session.started = now.trusted;
    session.pid = login.pid;
    session.comm = login.comm;
    session.exe = login.exe;
    session.tty = login.tty;
    session.cgroup = login.cgroup;
    return session;
}

// Alive until its verdict is written: the login process waits for our answer and runs nothing meanwhile.
Result<Session*> Sessions::label(const Login& login, bool user_manager) {
    const auto id = kernel_.open_session(login.uid, static_cast<std::uint32_t>(login.entry), {kNever, 0, 0});
    if (!id) return tl::unexpected(id.error());
    if (auto labelled = kernel_.label(login.pidfd, *id); !labelled) {
        kernel_.forget(*id, {});
        return tl::unexpected(labelled.error());
    }
    Session session = describe(login);
    session.id = *id;
    session.user_manager = user_manager;
    if (login.key_later) session.key_due_boot_ns = session.opened_boot_ns + kKeyTimeNs;
    return &table_.add(std::move(session));
}

Status Sessions::admit(const Login& login, Verdict verdict) {
    const auto session = label(login, false);
    if (!session) return tl::unexpected(session.error());
    apply(**session, std::move(verdict));
    return {};
}

Status Sessions::admit_user_manager(const Login& login) {
    const auto session = label(login, true);
    if (!session) return tl::unexpected(session.error());
    judge_user_manager(**session);
    return {};
}

Verdict Sessions::prove(std::uint64_t id, const Login& login) {
    Session& session = *table_.find(id);
    const Proven before = std::exchange(session.proven, login.proven);
    session.proven.gated = session.proven.gated || before.gated;
    if (!session.proven.source) {
        session.proven.source = before.source;
        session.proven.source_from = before.source_from;
    }
    session.exe = login.exe;
    if (!login.tty.empty()) session.tty = login.tty;
    session.key_due_boot_ns = 0;
    // From the start: with the key known another approval may be the one.
    SessionFacts facts = facts_of(session);
    facts.approval.reset();
    Verdict verdict = rulebook_.judge(login.governed, facts, table_.in_use(id), time_.now());
    if (verdict.ends()) {
        session.verdict = verdict;
        end(session, kLastWords);
        return verdict;
    }
    apply(session, verdict);
    if (on_change) on_change();
    return verdict;
}

std::string Sessions::refuse(const Login& login, Verdict verdict) {
    // Takes a number from the kernel's count and gives the place back.
    const auto id = kernel_.open_session(login.uid, static_cast<std::uint32_t>(login.entry), kDead);
    if (id) kernel_.forget(*id, {});
    Session session = describe(login);
    session.id = id.value_or(0);
    session.verdict = std::move(verdict);
    session.verdict.approval.reset();
    session.action = "refuse";
    journal_.write(session_denied(record_of(session)));
    session.stage = Stage::ended;
    const std::uint64_t number = session.id;
    table_.add(std::move(session));
    table_.end(number, time_.now().trusted);
    return number == 0 ? "" : session_name(number);
}

bool Sessions::has_user_manager(const std::string& account) const {
    const auto& managers = table_.user_managers();
    return std::any_of(managers.begin(), managers.end(),
                       [&](auto id) { return table_.live().at(id).account == account; });
}

bool Sessions::labelled(int pidfd) const {
    return kernel_.label_of(pidfd).has_value();
}

const Session* Sessions::of_process(int pidfd) {
    const auto id = kernel_.label_of(pidfd);
    if (!id) return nullptr;
    const Session* session = table_.find(*id);
    return session != nullptr && session->stage == Stage::live ? session : nullptr;
}

const Session* Sessions::approved_session_of(const std::string& account) const {
    const Session* longest = nullptr;
    for (const auto& [id, session] : table_.live()) {
        if (session.account != account || session.user_manager || session.stage != Stage::live) continue;
        if (session.verdict.ruling != Ruling::approved || session.key_due_boot_ns != 0) continue;
        if (longest == nullptr || session.verdict.deadline_boot_ns > longest->verdict.deadline_boot_ns)
            longest = &session;
    }
    return longest;
}

// It has no approval of its own: it lives while a session of its account does, and no longer than the
// longest.
void Sessions::judge_user_manager(Session& session) {
    const auto governed = governed_of(session);
    Verdict verdict;
    verdict.observe = rulebook_.observing() || governed->policy->mode.value == Mode::observe;
    const Session* other = approved_session_of(session.account);
    const bool allowed = governed->policy->user_manager.value == UserManager::allow;
    const std::string from = governed->policy->user_manager.place.text();
    verdict.rules.push_back({"restrict.user_manager", allowed ? Check::pass : Check::fail,
                             allowed ? "one user manager for the account" : "no user manager for the account",
                             from});
    if (allowed && other != nullptr) {
        verdict.ruling = Ruling::approved;
        verdict.reason = Reason::approved;
        verdict.deadline_boot_ns = other->verdict.deadline_boot_ns;
        verdict.engineer = other->verdict.engineer;
        verdict.rules.push_back(
            {"session", Check::pass, "beside the approved session " + session_name(other->id), from});
        verdict.reasons = {verdict.reason};
        // What a session must not do while it stands still, it must not do in the user manager either.
        for (const auto& [id, one] : table_.live())
            if (one.frozen && one.account == session.account && !one.user_manager)
                verdict.hold = Hold::freeze;
    } else {
        if (other == nullptr) {
            verdict.reasons.push_back(Reason::no_approval);
            verdict.rules.push_back(
                {"session", Check::fail, "no approved session of the account is live", from});
        }
        if (!allowed) verdict.reasons.push_back(Reason::entry_denied);
        verdict.reason = verdict.reasons.front();
    }
    apply(session, std::move(verdict));
}

std::vector<std::uint64_t> Sessions::live_user_managers(const std::string& account) const {
    std::vector<std::uint64_t> managers;
    for (const auto id : table_.user_managers())
        if (const Session& session = table_.live().at(id);
            session.account == account && session.stage == Stage::live)
            managers.push_back(id);
    return managers;
}

// Whatever ends a session by force ends the account's user manager: what it started there must not stay.
void Sessions::end_user_managers(const Session& ended) {
    for (const auto id : live_user_managers(ended.account)) {
        Session& manager = *table_.find(id);
        manager.verdict.ruling = Ruling::denied;
        manager.verdict.reason = ended.verdict.reason;
        manager.verdict.reasons = {ended.verdict.reason};
        end(manager);
    }
}

void Sessions::rejudge_user_managers(const std::string& account) {
    for (const auto id : live_user_managers(account))
        if (Session* session = table_.find(id); session != nullptr && session->stage == Stage::live)
            judge(*session);
}

} // namespace escort
