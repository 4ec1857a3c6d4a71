#include "output/session_fields.h"

#include "core/reason.h"

#include <ctime>
#include <fmt/chrono.h>
#include <fmt/format.h>

namespace escort {

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const auto& word : words)
        text += (text.empty() ? "" : ",") + word;
    return text;
}

std::string utc_text(std::int64_t epoch) {
    if (epoch == 0) return "an unknown time";
    const std::time_t time = epoch;
    std::tm parts{};
    if (::gmtime_r(&time, &parts) == nullptr) return std::to_string(epoch);
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", parts);
}

std::string session_phrase(const SessionRecord& session) {
    std::string text = session.account.empty() ? "an account without a name" : session.account;
    if (session.account.empty() && session.uid) text = "uid " + std::to_string(*session.uid);
    if (!session.entry.empty()) text += " by " + session.entry;
    if (!session.source.empty()) text += " from " + session.source;
    if (!session.tty.empty()) text += " on " + session.tty;
    if (!session.engineer.empty()) text += " (engineer " + session.engineer + ")";
    return text;
}

std::string advice(const std::string& reason) {
    for (int i = 0; i <= static_cast<int>(Reason::operator_act); ++i)
        if (const auto known = static_cast<Reason>(i); reason == to_string(known)) return advice(known);
    return "";
}

void set_session(Record& record, const SessionRecord& session) {
    const auto number = [](const auto& value) { return value ? std::to_string(*value) : std::string(); };
    const auto epoch = [](std::int64_t value) { return value == 0 ? std::string() : std::to_string(value); };
    record.set(Field::session, session.id);
    record.set(Field::account, session.account);
    record.set(Field::uid, number(session.uid));
    record.set(Field::entry, session.entry);
    record.set(Field::source, session.source);
    record.set(Field::tty, session.tty);
    record.set(Field::audit_session, number(session.audit_session));
    record.set(Field::logind_session, session.logind_session);
    record.set(Field::verdict, session.verdict);
    record.set(Field::reason, session.reason);
    record.set(Field::reasons, joined(session.reasons));
    record.set(Field::action, session.action);
    record.set(Field::policy, session.policy);
    record.set(Field::mode, session.mode);
    record.set(Field::approval, session.approval);
    record.set(Field::issuer, session.issuer);
    record.set(Field::engineer, session.engineer);
    record.set(Field::escort, session.escort);
    record.set(Field::ticket, session.ticket);
    record.set(Field::approvers, joined(session.approvers));
    record.set(Field::country, session.country);
    record.set(Field::asserted_by, session.asserted_by);
    record.set(Field::proven_key, session.proven_key);
    if (session.pid > 0) record.set(Field::object_pid, std::to_string(session.pid));
    record.set(Field::latency_us, number(session.latency_us));
    record.set(Field::processes, number(session.processes));
    record.set(Field::started, epoch(session.started));
    record.set(Field::ended, epoch(session.ended));
    record.set(Field::operated_by, session.operated_by);
}

} // namespace escort
