#include "service/sessions.h"

#include "output/notices.h"
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
        if (table_.find(event.id) == nullptr && restored_.contains(session_name(event.id))) break;
        if (Session* session = table_.find(event.id); session != nullptr) mark_attacker(*session);
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

std::optional<Governed> Sessions::governed_of(const Session& session) const {
    return session.unit.empty() ? rulebook_.governed(session.uid) : rulebook_.governed_unit(session.unit);
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
    session.verdict = rulebook_.judge(*governed, facts_of(session),
                                      in_use_ ? *in_use_ : table_.in_use(session.id), time_.now());
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

SessionFacts Sessions::facts_of(const Session& session) const {
    SessionFacts facts;
    facts.account = session.unit.empty() ? session.account : "";
    facts.unit = session.unit;
    facts.entry = session.entry;
    facts.opened_boot_ns = session.opened_boot_ns;
    // Before its key is known any approval may be the one.
    facts.key_later = session.key_due_boot_ns != 0;
    if (!facts.key_later) facts.approval = session.verdict.approval;
    facts.gated = session.proven.gated;
    facts.source = session.proven.source;
    facts.key = session.proven.key;
    facts.key_id = session.proven.key_id;
    facts.idle_ns = session.idle_ns;
    return facts;
}

void Sessions::all_at_once(const std::function<void()>& act) {
    if (in_use_) return act();
    in_use_ = table_.in_use(0);
    act();
    in_use_.reset();
    for (const auto& account : std::exchange(managers_due_, {}))
        rejudge_user_managers(account);
    if (std::exchange(changed_, false)) changed();
}

void Sessions::changed() {
    if (in_use_)
        changed_ = true;
    else if (on_change)
        on_change();
}

void Sessions::count_use(const std::optional<ApprovalId>& approval, int by) {
    if (!in_use_ || !approval) return;
    auto& count = (*in_use_)[*approval];
    if (by > 0)
        ++count;
    else if (count <= 1)
        in_use_->erase(*approval);
    else
        --count;
}

// What a session ends or goes on as, now. Also the way of every later judgement.
void Sessions::judge(Session& session) {
    const auto before = approval_in_use(session);
    judge_once(session);
    count_use(before, -1);
    count_use(approval_in_use(session), 1);
}

void Sessions::judge_once(Session& session) {
    const auto governed = governed_of(session);
    if (!governed) {
        release(session);
        return;
    }
    session.policy = governed->policy->name;
    if (session.user_manager) return judge_user_manager(session);
    const bool overdue = session.key_due_boot_ns != 0 && time_.now().boot_ns >= session.key_due_boot_ns;
    if (overdue) session.key_due_boot_ns = 0;
    SessionFacts facts = facts_of(session);
    if (overdue) facts.approval.reset();
    // A live session is judged by its own approval alone: who else uses it has been asked at its start.
    const auto counted = facts.approval || in_use_ ? Rulebook::InUse() : table_.in_use(session.id);
    const auto& in_use = in_use_ && !facts.approval ? *in_use_ : counted; // it is in none itself
    Verdict verdict = rulebook_.judge(*governed, facts, in_use, time_.now(), false);
    if (verdict.reasons != session.verdict.reasons || verdict.approval != session.verdict.approval ||
        verdict.hold != session.verdict.hold || session.verdict.rules.empty())
        verdict = rulebook_.judge(*governed, facts, in_use, time_.now()); // something to explain
    else
        verdict.rules = std::move(session.verdict.rules);
    apply(session, with_entered(session, std::move(verdict)));
}

Verdict Sessions::with_entered(const Session& session, Verdict verdict) const {
    if (verdict.ruling != Ruling::approved) return verdict;
    for (const auto uid : session.entered) {
        const auto governed = rulebook_.governed(uid);
        if (!governed) continue;
        SessionFacts facts = facts_of(session);
        facts.entry = Entry::existing; // the way in was judged when it came
        if (verdict.approval) facts.approval = verdict.approval;
        Verdict other = rulebook_.judge({session.account, governed->policy, !session.unit.empty()}, facts, {},
                                        time_.now());
        const bool named =
            std::find(verdict.also.begin(), verdict.also.end(), governed->account) != verdict.also.end();
        if (!named) {
            other.ruling = Ruling::denied;
            other.hold = Hold::none;
            other.reason = Reason::no_approval;
            other.reasons = {Reason::no_approval};
            other.rules.push_back({"approval.also", Check::fail, "has become " + governed->account,
                                   governed->policy->place.text()});
        }
        if (other.ends() || other.freezes()) return other;
    }
    return verdict;
}

void Sessions::apply(Session& session, Verdict verdict) {
    const bool told = !session.reported || verdict.ruling != session.verdict.ruling ||
                      verdict.observe != session.verdict.observe ||
                      verdict.approval != session.verdict.approval;
    // A denied session goes on being counted, and told of, under the approval that it was admitted under.
    if (!verdict.approval && (verdict.hold == Hold::freeze || verdict.ends())) {
        verdict.approval = session.verdict.approval;
        verdict.engineer = session.verdict.engineer;
        verdict.escort = session.verdict.escort;
        verdict.ticket = session.verdict.ticket;
    }
    session.verdict = std::move(verdict);
    if (session.verdict.ends()) {
        end(session);
        return;
    }
    const bool waits = session.key_due_boot_ns != 0 && session.verdict.ruling == Ruling::approved;
    if (waits)
        session.verdict.recheck_boot_ns = std::min(session.verdict.recheck_boot_ns, session.key_due_boot_ns);
    session.action = session.verdict.freezes()                    ? "freeze"
                     : session.verdict.ruling == Ruling::approved ? "none"
                     : session.verdict.log_only                   ? "log"
                                                                  : "none";
    tell_kernel(session);
    if (told && !waits) write_verdict(session, 0); // approved is told of when all is proven
    hold(session);
    if (told && session.verdict.approval) changed();
}

void Sessions::tell_kernel(Session& session) {
    const bool spared =
        session.verdict.ruling == Ruling::denied || session.verdict.observe || session.verdict.log_only;
    std::vector<std::uint32_t> also;
    for (const auto& account : session.verdict.also)
        if (const auto uid = rulebook_.uid_of(account)) also.push_back(*uid);
    for (const auto uid : session.also)
        if (std::find(also.begin(), also.end(), uid) == also.end()) kernel_.forbid_also(session.id, uid);
    std::erase_if(also, [&](std::uint32_t uid) { return !kernel_.allow_also(session.id, uid); });
    session.also = std::move(also);
    const std::uint32_t frozen = freezer_.verdict_flag(session.id);
    const bool still = session.verdict.freezes() || session.frozen_by_hand || frozen != 0;
    std::uint64_t deadline = spared ? kNever : session.verdict.deadline_boot_ns;
    // The agent may be gone by then.
    if (!spared && session.key_due_boot_ns != 0)
        deadline = std::min(deadline, session.key_due_boot_ns + kNsPerSecond);
    const auto governed = governed_of(session);
    const Recording record = governed ? governed->policy->record : Recording();
    const std::uint32_t flags = ESCORT_VERDICT_JUDGED | frozen |
                                (spared && !still ? std::uint32_t{ESCORT_VERDICT_OBSERVE} : 0U) |
                                (record.arguments.value ? std::uint32_t{ESCORT_VERDICT_ARGUMENTS} : 0U);
    // Gone meanwhile: its end is on its way.
    (void)kernel_.set_verdict(session.id, {deadline, flags, record.exec_per_minute.value});
}

void Sessions::release(Session& session) {
    session.verdict = {};
    session.verdict.reason = Reason::approved;
    session.verdict.ruling = Ruling::approved;
    session.policy.clear();
    session.action = "none";
    session.frozen_by_hand = false;
    (void)kernel_.set_verdict(session.id, {kNever, ESCORT_VERDICT_JUDGED | ESCORT_VERDICT_RELEASED, 0});
    hold(session);
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
    if (named && way_in && !refused(event)) {
        session->entered.insert(event.uid);
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

void Sessions::rejudge() {
    std::vector<std::uint64_t> ids;
    for (const auto& [id, session] : table_.live())
        if (session.stage == Stage::live) ids.push_back(id);
    all_at_once([&] {
        for (const auto id : ids)
            if (Session* session = table_.find(id); session != nullptr && session->stage == Stage::live)
                judge(*session);
    });
}

std::uint64_t Sessions::next_recheck() const {
    std::uint64_t next = kNever;
    for (const auto& [id, session] : table_.live())
        if (session.stage == Stage::live && session.verdict.ruling == Ruling::approved &&
            !session.policy.empty())
            next = std::min({next, session.verdict.deadline_boot_ns, session.verdict.recheck_boot_ns});
    return next;
}

std::map<std::uint64_t, std::size_t> Sessions::process_counts() const {
    return count_processes(kernel_);
}

std::map<std::string, KeptSession> Sessions::kept() const {
    std::map<std::string, KeptSession> all;
    for (const auto& [id, session] : table_.live()) {
        KeptSession kept{session.verdict.approval, session.unit, session.proven, session.user_manager,
                         session.frozen_by_hand};
        if (kept != KeptSession{}) all.emplace(session_name(id), std::move(kept));
    }
    return all;
}

} // namespace escort
