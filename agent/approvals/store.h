// The I/O around the ledger: spool files in, state files out. An acceptance takes effect only once it is on
// disk; what can't be written is refused and nothing changes. Watches nothing itself: the daemon calls.
//
// State folder (0700):
//   ledger.json        sequences and revoked approvals; its rename is the commit point of an acceptance
//   documents/SHA.jws  the accepted documents, raw, under their SHA-256; those the ledger doesn't name are
//   litter trusted_time.json  trusted time, saved each minute and at the end
#pragma once

#include "approvals/judge.h"
#include "approvals/spool.h"
#include "core/ledger.h"
#include "core/trusted_time.h"

#include <deque>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace escort {

struct StorePaths {
    std::string spool;
    std::string state;
};

enum class Disposition { accepted, ignored, refused };

struct Outcome {
    Disposition disposition = Disposition::refused;
    std::string word; // "accepted", "duplicate", or the refusal's: "rollback", "not_for_this_host" ...
    std::string text; // one line
    DocumentFacts document;
    LedgerChange change;
    bool alert = false; // tell it: refused, and not told before for these bytes
    bool retry = false; // left in the spool: it may be taken again later (state could not be written)
    std::optional<Error> spool_problem; // the judged file could not be removed
};

// A kept document that grants nothing now, and why.
struct KeptProblem {
    DocumentFacts document;
    Refusal refusal;
};

struct LoadReport {
    std::size_t lists = 0; // in force again
    std::vector<KeptProblem> problems;
};

struct ReverifyReport {
    LedgerChange change; // removed: lists withdrawn; added: lists whose key came back
    std::vector<KeptProblem> problems;
};

class Store {
  public:
    Store(StorePaths paths, LedgerSettings settings, TrustSet trust, IssuerRules rules);

    // Reads the state and verifies every kept document again. An error (unreadable, of a newer format) leaves
    // the store unloaded: it takes nothing and writes nothing. Also sets the floor of trusted time.
    [[nodiscard]] Result<LoadReport> load(const ClockReading& clocks);

    // Spool files that wait, for the start and for retries.
    [[nodiscard]] Result<std::vector<std::string>> pending() const;
    // Judges one spool file and removes it. An error: gone, unreadable, or the store isn't loaded. A name
    // that is not *.jws is ignored and stays.
    [[nodiscard]] Result<Outcome> take(const std::string& path, const Moment& now);

    // New keys or issuers: what they no longer allow grants nothing at once, what they allow again comes
    // back.
    [[nodiscard]] ReverifyReport reverify(TrustSet trust, IssuerRules rules, const Moment& now);

    [[nodiscard]] Status save_time(const Moment& now);
    void retime(const Moment& now) { ledger_.retime(now); }

    // The raw bytes of a list in force, by its SHA-256.
    [[nodiscard]] Result<std::string> raw(const std::string& sha256) const;

    [[nodiscard]] const Ledger& ledger() const { return ledger_; }
    [[nodiscard]] const TrustSet& trust() const { return trust_; }
    [[nodiscard]] TrustedTime& time() { return time_; }

  private:
    [[nodiscard]] Outcome judge(const SpoolFile& file, const std::string& name, const Moment& now);
    [[nodiscard]] Judged<LedgerChange> accept(ApprovalList list, std::string_view raw, bool& duplicate,
                                              const Moment& now);
    [[nodiscard]] Judged<ApprovalList> read_kept(const Sequence& sequence, DocumentFacts& facts) const;
    void reread(const Moment& now, ReverifyReport& report);
    [[nodiscard]] std::string document_path(const std::string& sha256) const;
    void remove_litter() const;
    [[nodiscard]] bool first_time(const std::string& what);

    StorePaths paths_;
    LedgerSettings settings_;
    TrustSet trust_;
    IssuerRules rules_;
    Ledger ledger_;
    TrustedTime time_;
    bool loaded_ = false;
    std::set<std::string> told_; // refusals alerted already; bounded, oldest forgotten first
    std::deque<std::string> told_order_;
};

} // namespace escort
