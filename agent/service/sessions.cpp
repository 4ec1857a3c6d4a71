#include "service/sessions.h"

#include "base/contains.h"
#include "output/records.h"
#include "process/peer_address.h"

#include <algorithm>
#include <utility>

namespace escort {

namespace {

// AUDIT_SID_UNSET, and the login uid's unset value.
std::optional<std::uint32_t> known(std::uint32_t value) {
    return value == UINT32_MAX ? std::nullopt : std::optional(value);
}

Entry entry_of(std::uint32_t number) {
    return number <= static_cast<std::uint32_t>(Entry::existing) ? static_cast<Entry>(number) : Entry::other;
}

// The kernel refused what would be approved now: the window opened in between, or its reason stands.
Reason reason_at_birth(std::uint32_t reason) {
    if (reason == ESCORT_REASON_ENTRY) return Reason::entry_denied;
    if (reason == ESCORT_REASON_NO_ROOM) return Reason::session_limit;
    return reason == ESCORT_REASON_UNGATED ? Reason::ungated : Reason::no_approval;
}

bool refused(const escort_event& event) {
    return (event.flags & ESCORT_EVENT_REFUSED) != 0;
}

} // namespace

Sessions::Sessions(KernelState& kernel, Journal& journal, const Rulebook& rulebook, Timekeeper& time,
                   sd_event* loop)
    : kernel_(kernel),
      journal_(journal),
      rulebook_(rulebook),
      time_(time),
      ender_(kernel, loop, [this](const Ended& ended) { finish(ended); }),
      freezer_(kernel, loop),
      loop_(loop) {
    ender_.on_lingering = [this](const Lingering& lingering) { lingers(lingering); };
    freezer_.on_frozen = [this](const Frozen& frozen) { on_frozen(frozen); };
}

void Sessions::on_event(const escort_event& event) {
    if ((event.flags & ESCORT_EVENT_PROBE) != 0) {
        if (event.type == ESCORT_EVENT_LAST) kernel_.forget(event.id, {});
        return;
    }
    switch (event.type) {
    case ESCORT_EVENT_OPENED:
        opened(event);
        break;
    case ESCORT_EVENT_ENTERED:
        entered(event);
        break;
    case ESCORT_EVENT_LAST:
        // While a new version took over, the count may have been behind.
        if (const auto facts = kernel_.session(event.id); facts && facts->live > 0) break;
        // It ended while no daemon was there: reconcile() writes its end.
        if (Session* session = table_.find(event.id); session != nullptr)
            mark_attacker(*session);
        else if (restored_.contains(session_name(event.id)))
            break;
        ender_.last_task_gone(event.id, event.time_ns);
        break;
    case ESCORT_EVENT_EXEMPT:
        exempted(event);
        break;
    case ESCORT_EVENT_TAMPER:
        tampered(event);
        break;
    default:
        break; // UNKNOWN is for who looks accounts up
    }
}

std::optional<Governed> Sessions::governed_of(const escort_event& event) const {
    if (entry_of(event.entry) == Entry::unit) return rulebook_.governed_unit(event.cgroup);
    return rulebook_.governed(event.uid);
}

Session Sessions::describe(const escort_event& event, const Governed& governed) const {
    Session session;
    session.id = event.id;
    session.account = governed.account;
    if (governed.unit) session.unit = governed.account;
    session.uid = event.uid;
    session.entry = entry_of(event.entry);
    session.policy = governed.policy->name;
    session.opened_boot_ns = event.opened_ns;
    session.started = time_.now().trusted;
    session.pid = event.tgid;
    session.comm = event.comm;
    session.exe = event.exe;
    session.tty = event.tty;
    session.cgroup = std::string(event.cgroup_parent) + "/" + event.cgroup;
    session.audit_session = known(event.audit_session);
    session.login_uid = known(event.loginuid);
    session.events = event.number;
    return session;
}

void Sessions::opened(const escort_event& event) {
    if (event.id != 0 && table_.find(event.id) != nullptr) return; // reconciling was quicker than the ring
    const auto governed = governed_of(event);
    if (!governed) { // the policy has changed since
        if (!refused(event)) (void)kernel_.set_verdict(event.id, {kNever, ESCORT_VERDICT_RELEASED, 0});
        return;
    }
    Session& session = table_.add(describe(event, *governed));
    find_source(session);
    if (!refused(event) && event.id != 0) {
        judge(session);
        // Found to be over, and forgotten, before this event had its turn.
        if (session.stage == Stage::live && !kernel_.session(event.id)) finish_unseen(session);
        return;
    }
    session.refused_at_birth = refused(event);
    session.verdict = rulebook_.judge(*governed, facts_of(session), in_use_.value(), time_.now());
    if (session.verdict.ruling == Ruling::approved) {
        session.verdict.ruling = Ruling::denied;
        session.verdict.reason = reason_at_birth(event.reason);
        session.verdict.reasons = {session.verdict.reason};
        session.verdict.approval.reset(); // it uses none
    }
    const bool signalled = (event.flags & ESCORT_EVENT_SIGNALLED) != 0;
    session.action = signalled ? "kill" : "log";
    session.stage = signalled ? Stage::ending : Stage::live;
    session.killed = signalled ? 1 : 0;
    write_verdict(session, event.time_ns - event.opened_ns);
    if (event.id == 0)
        table_.end(0, time_.now().trusted); // it could not be recorded: nothing will follow
    else
        count_use(approval_in_use(session), 1);
}

// From the kernel's own socket, while the process that holds it is there.
void Sessions::find_source(Session& session) {
    if (session.proven.source) return;
    const auto process = Process::open(static_cast<pid_t>(session.pid));
    if (!process) return;
    const auto peer = peer_address(*process);
    if (!peer) return;
    session.proven.source = peer->address;
    session.proven.source_from = "socket of sshd, pid " + std::to_string(peer->pid);
}

void Sessions::entered(const escort_event& event) {
    Session* session = table_.find(event.id);
    const auto governed = rulebook_.governed(event.uid);
    if (session == nullptr || session->stage != Stage::live || !governed) return;
    if (session->policy.empty()) { // released, and governed again
        session->uid = event.uid;
        session->account = governed->account;
        judge(*session);
        return;
    }
    // It is still that session, and the policy of the account it became is judged too.
    const bool named = contains(session->verdict.also, governed->account);
    // By the way it came in first: a program that sets the uid that it has already is no way in.
    const bool there = session->entered.contains(event.uid) && session->verdict.ruling == Ruling::approved;
    const bool way_in = there || governed->policy->require.entries.value.contains(entry_of(event.entry));
    if (session->entered.insert(event.uid).second) note_change();
    if (named && way_in && !refused(event)) {
        judge(*session);
        return;
    }
    Verdict verdict = session->verdict;
    verdict.ruling = Ruling::denied;
    verdict.reason = named ? Reason::entry_denied : Reason::no_approval;
    verdict.reasons = {verdict.reason};
    // That account's policy alone: a session that is only watched is no way into another's.
    verdict.observe = rulebook_.observing() || governed->policy->mode.value == Mode::observe;
    verdict.log_only = governed->policy->on_violation.value == Violation::log;
    verdict.hold = Hold::none;
    verdict.rules.push_back({"approval.also", named ? Check::pass : Check::fail,
                             "became " + governed->account + " by " + to_string(entry_of(event.entry)),
                             governed->policy->place.text()});
    session->verdict = std::move(verdict);
    if (session->verdict.ends())
        end(*session);
    else
        write_verdict(*session, 0);
}

void Sessions::exempted(const escort_event& event) {
    const auto governed = rulebook_.governed(event.uid);
    if (!governed || !exempt_told_.emplace(event.cgroup, event.uid).second) return;
    SessionRecord record;
    record.account = governed->account;
    record.uid = event.uid;
    record.entry = to_string(Entry::unit);
    record.policy = governed->policy->name;
    record.action = "none";
    record.pid = static_cast<pid_t>(event.tgid);
    record.note = std::string("a root job of the exempt unit ") + event.cgroup + "; told once";
    journal_.write(session_opened(record));
}

std::map<std::uint64_t, std::size_t> Sessions::process_counts() const {
    return count_processes(kernel_);
}

std::map<std::string, KeptSession> Sessions::kept() const {
    std::map<std::string, KeptSession> all;
    for (const auto& [id, session] : table_.live()) {
        KeptSession kept{session.verdict.approval,
                         session.unit,
                         session.proven,
                         session.user_manager,
                         session.frozen_by_hand,
                         session.entered,
                         session.entered.empty() ? std::vector<std::string>() : session.verdict.also};
        if (kept != KeptSession{}) all.emplace(session_name(id), std::move(kept));
    }
    return all;
}

} // namespace escort
