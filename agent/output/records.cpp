#include "output/records.h"

#include "output/session_fields.h"

#include <fmt/format.h>

namespace escort {

namespace {

std::string in_parentheses(const std::string& text) {
    return text.empty() ? "" : " (" + text + ")";
}

void set_document(Record& record, const DocumentRecord& document) {
    record.set(Field::issuer, document.issuer);
    if (document.seq) record.set(Field::seq, std::to_string(*document.seq));
    record.set(Field::doc_sha256, document.sha256);
    record.set(Field::key, document.key);
}

// "file.jws" or, where the document didn't come from a file, the start of its digest.
std::string document_name(const DocumentRecord& document) {
    return document.file.empty() ? document.sha256.substr(0, 12) : document.file;
}

} // namespace

Record document_accepted(const DocumentRecord& document) {
    Record record(Event::document_accepted,
                  fmt::format("Approval list {} of {} for {} is in force until {}: {} approval{}.",
                              document.seq ? std::to_string(*document.seq) : "", document.issuer,
                              document.audience, utc_text(document.expires), document.approvals,
                              document.approvals == 1 ? "" : "s"));
    set_document(record, document);
    return record;
}

Record document_refused(const DocumentRecord& document) {
    Record record(Event::document_refused,
                  fmt::format("Document {}{} was refused: {}. What was in force stays in force.{}",
                              document_name(document),
                              document.issuer.empty() ? "" : " of " + document.issuer, document.text,
                              document.alert ? " Find out who sent it: no healthy broker does this." : ""));
    if (document.alert) record.priority = Priority::alert;
    set_document(record, document);
    record.set(Field::reason, document.reason);
    return record;
}

Record approval_revoked(const ApprovalRecord& approval) {
    Record record(Event::approval_revoked,
                  fmt::format("Approval {} for {}{} was {}; {} session{} under it must end.", approval.jti,
                              approval.account.empty() ? "an account never seen here" : approval.account,
                              in_parentheses(approval.engineer),
                              approval.absent ? "left out of its issuer's next list" : "revoked",
                              approval.sessions, approval.sessions == 1 ? "" : "s"));
    record.set(Field::approval, approval.jti);
    record.set(Field::issuer, approval.issuer);
    record.set(Field::account, approval.account);
    record.set(Field::engineer, approval.engineer);
    record.set(Field::ticket, approval.ticket);
    record.set(Field::reason, "revoked");
    record.set(Field::doc_sha256, approval.doc_sha256);
    if (approval.seq) record.set(Field::seq, std::to_string(*approval.seq));
    return record;
}

Record presence_changed(const PresenceRecord& presence) {
    std::string text = fmt::format("Escort {} of approval {} is {}", presence.escort, presence.approval,
                                   presence.present ? "present" : "absent");
    if (presence.present && presence.until != 0) text += " until " + utc_text(presence.until);
    text +=
        fmt::format("; {} live session{} under it.", presence.sessions, presence.sessions == 1 ? "" : "s");
    Record record(Event::presence_changed, text);
    record.set(Field::approval, presence.approval);
    record.set(Field::issuer, presence.issuer);
    record.set(Field::account, presence.account);
    record.set(Field::engineer, presence.engineer);
    record.set(Field::escort, presence.escort);
    if (!presence.present) record.set(Field::reason, "escort_absent");
    record.set(Field::doc_sha256, presence.doc_sha256);
    return record;
}

Record policy_loaded(const PolicyRecord& policy) {
    std::string text =
        fmt::format("Policy {} is in force: {} polic{}, {} account{} governed.", policy.sha256.substr(0, 12),
                    policy.policies, policy.policies == 1 ? "y" : "ies", policy.principals,
                    policy.principals == 1 ? "" : "s");
    if (!policy.warnings.empty())
        text += fmt::format(" {} warning{}, the first: {}", policy.warnings.size(),
                            policy.warnings.size() == 1 ? "" : "s", policy.warnings.front());
    Record record(Event::policy_loaded, text);
    record.set(Field::policy_sha256, policy.sha256);
    return record;
}

Record policy_refused(const PolicyRecord& policy) {
    std::string text = "The policies were refused";
    if (!policy.errors.empty()) {
        text += ": " + policy.errors.front();
        if (policy.errors.size() > 1) text += fmt::format(" (and {} more)", policy.errors.size() - 1);
    }
    text += policy.last_good_kept ? ". The last good set stays in force."
                                  : ". No set is in force: no account is governed.";
    text += " Run 'escortctl policy check /etc/escortd/policies.d', correct what it names, then reload.";
    Record record(Event::policy_refused, text);
    // No ESCORT_POLICY_SHA256 of the refused files: the context's names the set in force.
    return record;
}

Record trust_changed(const std::vector<std::string>& added, const std::vector<std::string>& removed) {
    std::string text = "The keys trusted to sign documents changed:";
    if (!added.empty()) text += " added " + joined(added) + ";";
    if (!removed.empty()) text += " removed " + joined(removed) + ";";
    text += " documents were verified again. If nobody changed trust.d or breakglass.d on purpose, undo it "
            "and reload.";
    Record record(Event::trust_changed, text);
    std::vector<std::string> keys = added;
    keys.insert(keys.end(), removed.begin(), removed.end());
    record.set(Field::key, joined(keys));
    return record;
}

Record operator_act(const std::string& who, const std::string& what, const std::string& object,
                    const std::string& reason) {
    Record record(Event::operator_act,
                  fmt::format("{} ran '{}{}'{}.", who, what, object.empty() ? "" : " " + object,
                              reason.empty() ? "" : ": " + reason));
    record.set(Field::operated_by, who);
    record.set(Field::action, what);
    // A session id is BOOT-NUMBER; everything else that an operator names stands in the message alone.
    if (what == "kill" || what == "freeze" || what == "thaw") record.set(Field::session, object);
    return record;
}

Record agent_started(const std::string& version, const std::string& hooks) {
    return {Event::agent_started, fmt::format("escortd {} started (hooks: {}).", version, hooks)};
}

Record agent_stopped(const std::string& why) {
    return {Event::agent_stopped,
            fmt::format(
                "escortd stopped: {}. The kernel programs go on deciding; new approvals are not seen until "
                "it runs again ('systemctl start escortd').",
                why)};
}

Record agent_degraded(const std::string& what, const std::string& why, const std::string& hint) {
    return {Event::agent_degraded,
            fmt::format("escortd is degraded: {}: {}.{}", what, why, hint.empty() ? "" : " " + hint)};
}

Record tamper(const std::string& what, const std::string& why, const std::string& hint) {
    return {Event::tamper, fmt::format("Tampering: {}: {}.{}", what, why, hint.empty() ? "" : " " + hint)};
}

Record events_dropped(std::uint64_t count, DropPlace place) {
    std::string text;
    switch (place) {
    case DropPlace::journal:
        text = fmt::format("{} records were lost while journald took none. Enforcement went on; see why "
                           "journald stood still ('systemctl status systemd-journald').",
                           count);
        break;
    case DropPlace::kernel:
        text = fmt::format("{} events of the kernel programs were lost. Enforcement went on; sessions were "
                           "found again by a scan.",
                           count);
        break;
    case DropPlace::activity:
        text = fmt::format("{} programs that sessions started were not recorded: too many at once. "
                           "Enforcement went on; no session was missed.",
                           count);
        break;
    case DropPlace::outbox:
        text = fmt::format("{} session events for the broker were lost. They are in this journal; "
                           "'escortctl status' says why the courier does not deliver.",
                           count);
        break;
    }
    Record record(Event::events_dropped, text);
    record.set(Field::dropped, std::to_string(count));
    return record;
}

} // namespace escort
