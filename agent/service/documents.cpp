#include "service/documents.h"

#include "base/clock.h"
#include "output/records.h"

#include <algorithm>
#include <sys/inotify.h>
#include <utility>

namespace escort {

namespace {

constexpr std::size_t kOutcomesKept = 64;
constexpr std::uint64_t kTurnNs = 20'000'000; // of a scan, in one turn of the loop

DocumentRecord record_of(const Outcome& outcome) {
    const DocumentFacts& facts = outcome.document;
    DocumentRecord record;
    record.file = facts.file;
    record.issuer = facts.issuer;
    record.audience = facts.audience;
    record.subject = facts.subject;
    record.seq = facts.seq;
    record.sha256 = facts.sha256;
    record.key = facts.key;
    record.expires = facts.exp;
    record.reason = outcome.word;
    record.text = outcome.text;
    record.alert = outcome.word == to_string(RefusalCode::rollback) ||
                   outcome.word == to_string(RefusalCode::equivocation) ||
                   outcome.word == to_string(RefusalCode::seq_jump);
    return record;
}

} // namespace

Documents::Documents(Store& store, Timekeeper& time, Journal& journal, Health& health, std::string spool)
    : store_(store), time_(time), journal_(journal), health_(health), spool_(std::move(spool)) {}

Status Documents::watch(sd_event* loop) {
    sd_event_source* source = nullptr;
    // A rename into the folder is how documents arrive; a file written in place is judged once it is closed.
    const int error = sd_event_add_inotify(loop, &source, spool_.c_str(),
                                           IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR, on_inotify, this);
    if (error < 0) return fail_errno(spool_, "watch", -error);
    inotify_.reset(source);
    // A time that has come, since a deferred source never takes turns: armed again and again it goes before
    // all others of its priority (sd-event's pending_prioq_compare(), which lets the one first that waits
    // longest).
    if (sd_event_add_time(loop, &source, CLOCK_MONOTONIC, 0, 1, on_rest, this) >= 0) {
        (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
        rest_.reset(source);
    }
    return {};
}

int Documents::on_inotify(sd_event_source*, const inotify_event* event, void* self) {
    auto& documents = *static_cast<Documents*>(self);
    if ((event->mask & IN_Q_OVERFLOW) != 0)
        documents.scan();
    else if (event->len > 0 && std::string_view(event->name).ends_with(".jws"))
        documents.take(documents.spool_ + "/" + event->name);
    return 0;
}

void Documents::scan() {
    if (waits_for_keys_) return;
    const auto waiting = store_.pending();
    if (!waiting) {
        health_.degrade("spool", waiting.error().text(), "check the folder and its permissions");
        return;
    }
    health_.recover("spool");
    waiting_.assign(waiting->begin(), waiting->end());
    take_waiting();
}

void Documents::take_waiting() {
    const auto until = boot_ns() + kTurnNs;
    do {
        if (waiting_.empty()) return;
        const std::string path = std::move(waiting_.front());
        waiting_.pop_front();
        take(path);
    } while (!rest_ || boot_ns() < until);
    (void)sd_event_source_set_time(rest_.get(), 0);
    (void)sd_event_source_set_enabled(rest_.get(), waiting_.empty() ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

int Documents::on_rest(sd_event_source*, std::uint64_t, void* self) {
    static_cast<Documents*>(self)->take_waiting();
    return 0;
}

void Documents::take(const std::string& path) {
    if (waits_for_keys_) return;
    auto outcome = store_.take(path, time_.now());
    if (!outcome) return; // judged already, or gone: its writer or a scan was quicker
    if (outcome->spool_problem)
        health_.degrade("spool", outcome->spool_problem->text(), "remove the file by hand");
    if (outcome->retry)
        health_.degrade("state", outcome->text, "check space and permissions of the state folder");
    tell(*outcome);
    const bool accepted = outcome->disposition == Disposition::accepted;
    if (accepted && !outcome->retry) health_.recover("state");
    if (accepted && outcome->document.kind() == DocumentKind::approvals) health_.recover("copy");
    const bool takes_away = !outcome->change.revoked.empty() || !outcome->change.removed.empty();
    if ((accepted || takes_away) && on_change) on_change();
    outcomes_.push_back(std::move(*outcome));
    if (outcomes_.size() > kOutcomesKept) outcomes_.pop_front();
    if (on_outcome) on_outcome(outcomes_.back());
}

void Documents::tell(const Outcome& outcome) {
    if (outcome.disposition == Disposition::refused && outcome.alert)
        journal_.write(document_refused(record_of(outcome)));
    if (outcome.disposition != Disposition::accepted) {
        tell_change(outcome.change, outcome.document);
        return;
    }
    for (const auto& id : outcome.present)
        tell_presence(id);
    std::erase_if(present_until_,
                  [&](const auto& entry) { return store_.presence().find(entry.first) == nullptr; });
    // Escorts renew every few seconds: of a lease only what changes is told.
    if (outcome.document.kind() == DocumentKind::presence) return;
    auto record = record_of(outcome);
    const auto* list = store_.ledger().list({outcome.document.issuer, outcome.document.audience,
                                             outcome.document.subject, outcome.document.break_glass});
    if (list != nullptr && outcome.document.kind() == DocumentKind::approvals)
        record.approvals = list->approvals.size();
    journal_.write(document_accepted(record));
    tell_change(outcome.change, outcome.document);
}

void Documents::tell_presence(const ApprovalId& id) {
    const Lease* lease = store_.presence().find(id);
    if (lease == nullptr) return;
    const Moment now = time_.now();
    // A lease that is renewed before it ends says nothing new; escorts renew every few seconds.
    const bool present = lease->exp_boot_ns > now.boot_ns;
    std::uint64_t& before = present_until_[id];
    const bool was_present = before > now.boot_ns;
    before = lease->exp_boot_ns;
    if (present == was_present) return;
    PresenceRecord record;
    record.approval = id.jti;
    record.issuer = id.issuer;
    if (const auto candidate = store_.ledger().find(id, now)) {
        record.account = candidate->approval->account;
        record.engineer = candidate->approval->engineer.id;
    }
    record.escort = lease->presence.escort;
    record.present = present;
    record.until = lease->presence.exp;
    record.doc_sha256 = lease->presence.sha256;
    journal_.write(presence_changed(record));
}

void Documents::tell_change(const LedgerChange& change, const DocumentFacts& document) {
    if (change.revoked.empty() && change.removed.empty()) return;
    const auto in_use = sessions_in_use ? sessions_in_use() : std::map<ApprovalId, std::uint32_t>();
    const auto tell_one = [&](const ApprovalId& id, bool absent) {
        ApprovalRecord record;
        record.jti = id.jti;
        record.issuer = id.issuer;
        record.absent = absent;
        if (const auto known = store_.ledger().tombstone(id, time_.now()))
            record.account = known->tombstone.account;
        const auto used = in_use.find(id);
        record.sessions = used == in_use.end() ? 0 : used->second;
        record.doc_sha256 = document.sha256;
        record.seq = document.seq;
        journal_.write(approval_revoked(record));
    };
    for (const auto& id : change.revoked)
        tell_one(id, false);
    for (const auto& id : change.removed)
        tell_one(id, true);
}

void Documents::reverify(TrustSet trust, IssuerRules rules) {
    std::vector<std::string> added, removed;
    for (const auto& key : trust.keys)
        if (store_.trust().find(key.thumbprint) == nullptr) added.push_back(key.thumbprint);
    for (const auto& key : store_.trust().keys)
        if (trust.find(key.thumbprint) == nullptr) removed.push_back(key.thumbprint);
    if (!added.empty() || !removed.empty()) journal_.write(trust_changed(added, removed));

    const auto report = store_.reverify(std::move(trust), std::move(rules), time_.now());
    tell_kept(report.problems);
    tell_change(report.change, {});
    if (on_change) on_change();
    if (std::exchange(waits_for_keys_, false)) scan();
}

void Documents::forget_lists() {
    const auto forgotten = store_.forget_lists();
    health_.degrade(
        "copy",
        "this machine is a copy: its VM generation id has changed, as of a restored snapshot; what was "
        "approved before grants nothing",
        "a newer list of the broker counts at once; lists that came before it don't");
    if (!forgotten.written)
        health_.degrade("state", forgotten.written.error().text(),
                        "check space and permissions of the state folder");
    tell_change(forgotten.change, {});
    if (on_change) on_change();
}

void Documents::tell_kept(const std::vector<KeptProblem>& kept) {
    std::string problems;
    for (const auto& problem : store_.trust().problems)
        problems += (problems.empty() ? "" : "; ") + problem.text();
    if (problems.empty())
        health_.recover("trust");
    else
        health_.degrade("trust", problems,
                        "each file of trust.d and breakglass.d holds one PEM SubjectPublicKeyInfo");
    for (const auto& problem : kept) {
        Outcome outcome;
        outcome.word = to_string(problem.refusal.code);
        outcome.text = problem.refusal.text;
        outcome.document = problem.document;
        journal_.write(document_refused(record_of(outcome)));
    }
}

const Outcome* Documents::outcome(const std::string& sha256) const {
    const auto found = std::find_if(outcomes_.rbegin(), outcomes_.rend(),
                                    [&](const Outcome& one) { return one.document.sha256 == sha256; });
    return found == outcomes_.rend() ? nullptr : &*found;
}

} // namespace escort
