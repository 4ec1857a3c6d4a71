// The store's part for single events: escorts' leases and revocations.
#include "approvals/state.h"
#include "approvals/store.h"
#include "base/file.h"

#include <algorithm>

namespace escort {

namespace {

constexpr std::int64_t kUnprovenFor = 2 * kLeaseLifetime; // seconds that a lease without a key is kept

Presence presence_of(const LeaseDocument& lease, const std::string& issuer) {
    return {{issuer, lease.approval}, lease.escort, lease.iat, lease.exp, lease.sha256};
}

} // namespace

// `escort` as in the approval, never the engineer (contract §4). An approval that is not here yet says
// nothing.
Judged<void> Store::fits_approval(const LeaseDocument& lease, const Moment& now) const {
    std::optional<Refusal> wrong;
    for (const std::string& issuer : lease.issuers) {
        const auto found = ledger_.find({issuer, lease.approval}, now);
        if (!found) continue;
        const Approval& approval = *found->approval;
        if (approval.engineer.id == lease.escort)
            wrong = Refusal{RefusalCode::invalid, "escort: '" + lease.escort + "' is the engineer"};
        else if (!approval.escort || approval.escort->id != lease.escort)
            wrong = Refusal{RefusalCode::invalid,
                            "escort: '" + lease.escort + "' is not the escort of " + lease.approval};
        else
            return {};
    }
    if (wrong) return tl::unexpected(std::move(*wrong));
    return {};
}

Judged<Store::Accepted> Store::accept(const LeaseDocument& lease, std::string_view raw, const Moment& now,
                                      Outcome& out) {
    if (!ledger_.for_this_host(lease.audience))
        return refuse(RefusalCode::not_for_this_host, "aud: '" + lease.audience + "' is not this host");
    if (auto fits = fits_approval(lease, now); !fits) return tl::unexpected(std::move(fits.error()));
    // Each issuer's approval of that jti for itself: the lease may be the newest of one and not of another.
    std::optional<Refusal> refusal;
    bool duplicate = false;
    std::set<std::string> old;
    for (const std::string& issuer : lease.issuers) {
        const auto judged = presence_.judge(presence_of(lease, issuer), now);
        if (!judged && !refusal) refusal = judged.error();
        if (!judged) continue;
        duplicate = duplicate || !*judged;
        if (*judged) out.present.push_back({issuer, lease.approval});
    }
    if (out.present.empty() && !duplicate && refusal) return tl::unexpected(std::move(*refusal));
    const auto write = [&] { return lease_folder_.write(lease.sha256, raw); };
    if (out.present.empty()) return write_event(lease.sha256, true, write);
    const Accepted accepted = write_event(lease.sha256, false, write);
    if (accepted.unwritten && lease.exp > lease.iat) {
        unwritten_.erase(lease.sha256);
        out.present.clear();
        return refuse(RefusalCode::not_persisted, "state can't be written: " + accepted.unwritten->text());
    }
    for (const ApprovalId& id : out.present) {
        if (const Lease* last = presence_.find(id)) old.insert(last->presence.sha256);
        static_cast<void>(presence_.accept(presence_of(lease, id.issuer), now));
    }
    time_.raise(lease.iat, now.boot_ns);
    remove_unnamed_leases(old);
    return accepted;
}

// Where it is a duplicate: only if it could not be written the last time.
Store::Accepted Store::write_event(const std::string& sha256, bool duplicate,
                                   const std::function<Status()>& write) {
    Accepted accepted{duplicate, std::nullopt};
    if (duplicate && !unwritten_.contains(sha256)) return accepted;
    if (auto written = write(); written) {
        unwritten_.erase(sha256);
    } else {
        unwritten_.insert(sha256);
        accepted.unwritten = std::move(written.error());
    }
    return accepted;
}

Judged<Store::Accepted> Store::accept(const RevocationDocument& event, std::string_view, const Moment& now,
                                      Outcome& out) {
    const auto& audience = event.audience;
    if (!audience.empty() && std::none_of(audience.begin(), audience.end(),
                                          [&](const std::string& one) { return ledger_.for_this_host(one); }))
        return refuse(RefusalCode::not_for_this_host, "aud: names other hosts than this");
    if (is_session_id(event.session)) out.ended_session = EndedSession{event.session, event.issuers};
    auto plan = ledger_.plan_revocation(event.session, event.issuers, now);
    if (!plan) return tl::unexpected(std::move(plan.error()));
    const bool duplicate = plan->tombstones.empty();
    const Accepted accepted = write_event(event.sha256, duplicate, [&] {
        return write_file_atomically(paths_.state + "/ledger.json", write_memory(ledger_.after(*plan)),
                                     kStateMode);
    });
    if (duplicate) return accepted;
    // A revocation is taken whatever its `iat`, so that one from the future must not move the time.
    if (event.iat <= now.trusted + kClockSkew) time_.raise(event.iat, now.boot_ns);
    out.change = ledger_.commit(std::move(*plan));
    return accepted;
}

std::set<std::string> Store::lease_files() const {
    std::set<std::string> named;
    for (const auto& [id, lease] : presence_.leases())
        named.insert(lease.presence.sha256);
    return named;
}

// Of these the ones that no lease is held by any more.
void Store::remove_unnamed_leases(const std::set<std::string>& before) const {
    if (before.empty()) return;
    const auto named = lease_files();
    for (const std::string& sha256 : before)
        if (!named.contains(sha256)) lease_folder_.remove(sha256);
}

std::vector<LeaseDocument> Store::read_leases(ReverifyReport& report) const {
    std::vector<LeaseDocument> out;
    const auto kept = lease_folder_.read();
    if (!kept) {
        DocumentFacts facts;
        facts.file = paths_.state + "/presence";
        report.problems.push_back({std::move(facts), {RefusalCode::not_a_file, kept.error().text()}});
        return out;
    }
    for (const KeptLease& one : *kept) {
        DocumentFacts facts;
        facts.file = one.path;
        facts.sha256 = one.sha256;
        if (one.raw.empty()) {
            report.problems.push_back(
                {std::move(facts),
                 {RefusalCode::malformed, "the kept lease can't be read, or was changed on disk"}});
            lease_folder_.remove(one.sha256);
            continue;
        }
        auto document = judge_document(one.raw, trust_, rules_, facts);
        if (!document) { // it grants nothing; its key may come back, and a fresh lease is soon there
            if (one.age_s > kUnprovenFor) lease_folder_.remove(one.sha256);
            continue;
        }
        if (auto* lease = std::get_if<LeaseDocument>(&*document)) out.push_back(std::move(*lease));
    }
    std::sort(out.begin(), out.end(),
              [](const LeaseDocument& a, const LeaseDocument& b) { return a.iat < b.iat; });
    return out;
}

// Answers `now`, not before the leases' own times: they were taken once, so these are past.
Moment Store::reread_leases(Moment now, ReverifyReport& report) {
    std::set<std::pair<ApprovalId, std::string>> proven;
    const auto documents = read_leases(report);
    for (const LeaseDocument& lease : documents) {
        now.trusted = std::max(now.trusted, lease.iat);
        time_.raise(lease.iat, now.boot_ns);
    }
    for (const LeaseDocument& lease : documents)
        if (ledger_.for_this_host(lease.audience))
            for (const std::string& issuer : lease.issuers)
                proven.insert({{issuer, lease.approval}, lease.sha256});
    for (const auto& [id, lease] : std::map(presence_.leases()))
        if (!proven.contains({id, lease.presence.sha256})) {
            presence_.withdraw(id);
            report.present.push_back(id);
        }
    // Those that are held already are duplicates, and keep the ends that they have.
    std::set<std::string> read;
    for (const LeaseDocument& lease : documents) {
        read.insert(lease.sha256);
        if (!ledger_.for_this_host(lease.audience)) continue;
        for (const std::string& issuer : lease.issuers)
            if (const auto taken = presence_.accept(presence_of(lease, issuer), now); taken && *taken)
                report.present.push_back({issuer, lease.approval});
    }
    remove_unnamed_leases(read);
    return now;
}

} // namespace escort
