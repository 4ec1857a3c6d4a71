#include "service/sessions.h"

#include "output/records.h"

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
    return reason == ESCORT_REASON_ENTRY ? Reason::entry_denied : Reason::no_approval;
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
      ender_(kernel, loop, [this](const Ended& ended) { finish(ended); }) {}

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
        ender_.last_task_gone(event.id, event.time_ns);
        break;
    case ESCORT_EVENT_EXEMPT:
        exempted(event);
        break;
    default:
        break; // UNKNOWN is for who looks accounts up
    }
}

Session Sessions::describe(const escort_event& event, const Governed& governed) const {
    Session session;
    session.id = event.id;
    session.account = governed.account;
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
    const auto governed = rulebook_.governed(event.uid);
    if (!governed) { // the policy has changed since
        if (!refused(event)) (void)kernel_.set_verdict(event.id, {kNever, ESCORT_VERDICT_RELEASED, 0});
        return;
    }
    Session& session = table_.add(describe(event, *governed));
    if (!refused(event)) {
        judge(session);
        return;
    }
    session.refused_at_birth = true;
    session.verdict =
        rulebook_.judge(*governed, {session.account, session.entry, session.opened_boot_ns, {}}, time_.now());
    if (session.verdict.ruling == Ruling::approved) {
        session.verdict.ruling = Ruling::denied;
        session.verdict.reason = reason_at_birth(event.reason);
        session.verdict.reasons = {session.verdict.reason};
    }
    const bool signalled = (event.flags & ESCORT_EVENT_SIGNALLED) != 0;
    session.action = signalled ? "kill" : "log";
    session.stage = signalled ? Stage::ending : Stage::live;
    session.killed = signalled ? 1 : 0;
    write_verdict(session, event.time_ns - event.opened_ns);
    if (event.id == 0) table_.end(0, time_.now().trusted); // it could not be recorded: nothing will follow
}

// What a session ends or goes on as, now. Also the way of every later judgement.
void Sessions::judge(Session& session) {
    const auto governed = rulebook_.governed(session.uid);
    if (!governed) {
        release(session);
        return;
    }
    session.policy = governed->policy->name;
    SessionFacts facts{session.account, session.entry, session.opened_boot_ns, session.verdict.approval};
    if (const auto before = restored_.find(session_name(session.id)); before != restored_.end()) {
        facts.approval = before->second;
        restored_.erase(before);
    }
    apply(session, rulebook_.judge(*governed, facts, time_.now()));
}

void Sessions::apply(Session& session, Verdict verdict) {
    const bool changed = !session.reported || verdict.ruling != session.verdict.ruling ||
                         verdict.observe != session.verdict.observe ||
                         verdict.approval != session.verdict.approval;
    session.verdict = std::move(verdict);
    if (session.verdict.ends()) {
        end(session, "kill");
        return;
    }
    session.action = session.verdict.ruling == Ruling::approved ? "none"
                     : session.verdict.log_only                 ? "log"
                                                                : "none";
    tell_kernel(session);
    if (changed) write_verdict(session, 0);
    if (changed && session.verdict.approval && on_change) on_change();
}

void Sessions::tell_kernel(Session& session) {
    const bool spared =
        session.verdict.ruling == Ruling::denied || session.verdict.observe || session.verdict.log_only;
    for (const auto& account : session.verdict.also) {
        const auto uid = rulebook_.uid_of(account);
        if (!uid || std::find(session.also.begin(), session.also.end(), *uid) != session.also.end()) continue;
        if (kernel_.allow_also(session.id, *uid)) session.also.push_back(*uid);
    }
    const std::uint64_t deadline = spared ? kNever : session.verdict.deadline_boot_ns;
    const std::uint32_t flags = ESCORT_VERDICT_JUDGED | (spared ? ESCORT_VERDICT_OBSERVE : 0);
    (void)kernel_.set_verdict(session.id, {deadline, flags, 0}); // gone meanwhile: its end is on its way
}

void Sessions::release(Session& session) {
    (void)kernel_.set_verdict(session.id, {kNever, ESCORT_VERDICT_JUDGED | ESCORT_VERDICT_RELEASED, 0});
    session.verdict = {};
    session.verdict.reason = Reason::approved;
    session.verdict.ruling = Ruling::approved;
    session.policy.clear();
    session.action = "none";
}

void Sessions::end(Session& session, const std::string& action) {
    if (session.stage != Stage::live) return;
    session.stage = Stage::ending;
    session.action = action;
    write_verdict(session, 0);
    ender_.begin(session.id); // may finish at once: `session` is not touched after this
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
    const auto& also = session->verdict.also;
    const bool named = std::find(also.begin(), also.end(), governed->account) != also.end();
    const bool way_in = governed->policy->require.entries.value.contains(entry_of(event.entry));
    if (named && way_in && !refused(event)) return;
    Verdict verdict = session->verdict;
    verdict.ruling = Ruling::denied;
    verdict.reason = named ? Reason::entry_denied : Reason::no_approval;
    verdict.reasons = {verdict.reason};
    verdict.observe =
        verdict.observe || rulebook_.observing() || governed->policy->mode.value == Mode::observe;
    verdict.rules.push_back({"approval.also", named ? Check::pass : Check::fail,
                             "became " + governed->account + " by " + to_string(entry_of(event.entry)),
                             governed->policy->place.text()});
    session->verdict = std::move(verdict);
    if (session->verdict.ends())
        end(*session, "kill");
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

void Sessions::finish(const Ended& ended) {
    Session* session = table_.find(ended.id);
    kernel_.forget(ended.id, session != nullptr ? session->also : std::vector<std::uint32_t>{});
    if (session == nullptr || session->stage == Stage::ended) return;
    const bool killed = session->stage == Stage::ending;
    session->killed = std::max(session->killed, ended.processes);
    session->ended = time_.now().trusted;

    SessionRecord record = record_of(*session);
    if (killed && !session->refused_at_birth) record.latency_us = ended.elapsed_ns / 1000;
    if (!session->policy.empty()) journal_.write(killed ? session_killed(record) : session_ended(record));
    table_.end(ended.id, session->ended);
    by_hand_.erase(ended.id);

    const auto [first, last] = waiting_.equal_range(ended.id);
    std::vector<Done> callers;
    for (auto it = first; it != last; ++it)
        callers.push_back(std::move(it->second));
    waiting_.erase(first, last);
    for (const auto& done : callers)
        done(*table_.find(ended.id), ended);
    if (!record.approval.empty() && on_change) on_change(); // others leave nothing to save
}

bool Sessions::kill(std::uint64_t id, EndedByHand by, Done done) {
    Session* session = table_.find(id);
    if (session == nullptr || session->stage == Stage::ended) return false;
    waiting_.emplace(id, std::move(done));
    if (session->stage == Stage::ending) return true;
    session->verdict.ruling = Ruling::denied;
    session->verdict.reason = Reason::operator_act;
    session->verdict.reasons = {Reason::operator_act};
    session->verdict.observe = false; // a person's act, whatever the policy's mode
    by_hand_[id] = std::move(by);
    end(*session, "kill");
    return true;
}

void Sessions::rejudge() {
    std::vector<std::uint64_t> ids;
    for (const auto& [id, session] : table_.live())
        if (session.stage == Stage::live) ids.push_back(id);
    for (const auto id : ids)
        if (Session* session = table_.find(id); session != nullptr && session->stage == Stage::live)
            judge(*session);
}

std::uint64_t Sessions::next_deadline() const {
    std::uint64_t next = kNever;
    for (const auto& [id, session] : table_.live())
        if (session.stage == Stage::live && session.verdict.ruling == Ruling::approved &&
            !session.policy.empty())
            next = std::min(next, session.verdict.deadline_boot_ns);
    return next;
}

std::set<std::uint64_t> Sessions::ending() const {
    std::set<std::uint64_t> ids;
    for (const auto& [id, session] : table_.live())
        if (session.stage == Stage::ending) ids.insert(id);
    return ids;
}

std::map<std::uint64_t, std::size_t> Sessions::process_counts() const {
    return count_processes(kernel_);
}

std::map<std::string, ApprovalId> Sessions::approvals() const {
    std::map<std::string, ApprovalId> all;
    for (const auto& [id, session] : table_.live())
        if (session.verdict.approval) all.emplace(session_name(id), *session.verdict.approval);
    return all;
}

} // namespace escort
