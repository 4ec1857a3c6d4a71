// How a session ends: by its verdict, by hand, by the broker's event; and what is left to do when it has.
#include "service/sessions.h"

#include "base/contains.h"
#include "output/notices.h"
#include "output/records.h"
#include "process/terminal.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace escort {

void Sessions::end(Session& session, std::chrono::microseconds lead) {
    if (session.stage != Stage::live) return;
    session.stage = Stage::ending;
    session.action = "kill";
    write_verdict(session, 0);
    // A frozen session's sshd carries nothing: its person has read why it stands.
    const bool told = !session.frozen && say(session, end_notice(record_of(session)));
    const std::uint64_t id = session.id;
    if (!session.user_manager) end_user_managers(session);
    ender_.begin(id, told ? std::max(lead, kLineLead) : lead);
}

void Sessions::finish(const Ended& ended) {
    Session* session = table_.find(ended.id);
    if (before_forgotten) before_forgotten(ended.id);
    attached_.wake();
    kernel_.forget(ended.id, session != nullptr ? session->also : std::vector<std::uint32_t>{});
    if (session == nullptr || session->stage == Stage::ended) return;
    const bool killed = session->stage == Stage::ending;
    session->killed = std::max(session->killed, ended.processes);
    session->ended = time_.now().trusted;

    SessionRecord record = record_of(*session);
    if (killed && !session->refused_at_birth) record.latency_us = ended.elapsed_ns / 1000;
    if (killed) journal_.write(session_killed(record));
    if (!killed && !session->policy.empty()) journal_.write(session_ended(record)); // else it was released
    const std::string account = session->account;
    freezer_.forget(ended.id);
    count_use(approval_in_use(*session), -1);
    table_.end(ended.id, session->ended);
    by_hand_.erase(ended.id);
    held_by_hand_.erase(ended.id);
    if (in_use_)
        managers_due_.insert(account);
    else
        rejudge_user_managers(account);

    for (const auto& done : take_waiting(ended.id))
        done(*table_.find(ended.id), ended);
    if (!record.approval.empty() && on_ended) on_ended(); // others leave nothing to save
}

// Who waits for its end is told what is known, and the journal says why it isn't over.
void Sessions::lingers(const Lingering& lingering) {
    const Session* session = table_.find(lingering.id);
    if (session == nullptr) return;
    journal_.write(agent_degraded(
        "session " + session_name(lingering.id),
        fmt::format("killed, but not dead yet: {} of its tasks, in uninterruptible sleep in the kernel",
                    lingering.tasks),
        "they run no instruction of their own again, and go when they wake: look at the "
        "disk or network filesystem that they wait for"));
    for (const auto& done : take_waiting(lingering.id))
        done(*session, {lingering.id, lingering.processes, lingering.elapsed_ns});
}

std::vector<Sessions::Done> Sessions::take_waiting(std::uint64_t id) {
    const auto [first, last] = waiting_.equal_range(id);
    std::vector<Done> callers;
    for (auto it = first; it != last; ++it)
        callers.push_back(std::move(it->second));
    waiting_.erase(first, last);
    return callers;
}

bool Sessions::kill(std::uint64_t id, ByHand by, Done done) {
    Session* session = table_.find(id);
    if (session == nullptr || session->stage == Stage::ended) return false;
    waiting_.emplace(id, std::move(done));
    if (session->stage == Stage::ending) return true;
    by_hand_[id] = std::move(by);
    deny(*session, Reason::operator_act);
    return true;
}

void Sessions::revoke(const EndedSession& ended, const std::string& by) {
    const auto id = session_id(ended.id);
    Session* session = id ? table_.find(*id) : nullptr;
    if (session == nullptr || session->stage != Stage::live || !session->verdict.approval) return;
    const auto& issuers = ended.issuers;
    if (!contains(issuers, session->verdict.approval->issuer)) return;
    by_hand_[*id] = {by, "session-revoked event"};
    deny(*session, Reason::revoked);
}

// A person's or the broker's act, whatever the policy's mode.
void Sessions::deny(Session& session, Reason reason) {
    session.verdict.ruling = Ruling::denied;
    session.verdict.reason = reason;
    session.verdict.reasons = {reason};
    session.verdict.observe = false;
    session.verdict.hold = Hold::none;
    end(session);
}

std::set<std::uint64_t> Sessions::ending() const {
    std::set<std::uint64_t> ids;
    for (const auto& [id, session] : table_.live())
        if (session.stage == Stage::ending) ids.insert(id);
    return ids;
}

} // namespace escort
