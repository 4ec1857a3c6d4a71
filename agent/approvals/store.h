// The I/O around the ledger and the leases: spool files in, state files out. What grants takes effect only
// once it is on disk; what can't be written is refused and nothing changes. What takes away (a revocation,
// the end of a lease) takes effect at once, and stays in the spool until it could be written. Watches nothing
// itself: the daemon calls.
//
// State folder (0700):
//   ledger.json        sequences and revoked approvals; its rename is the commit point of an acceptance
//   documents/SHA.jws  the accepted lists, raw, under their SHA-256; those the ledger doesn't name are litter
//   presence/SHA.jws   the newest lease of each approval, raw, until it has been over for a day
//   trusted_time.json  trusted time, saved each minute and at the end
#pragma once

#include "approvals/judge.h"
#include "approvals/lease_folder.h"
#include "approvals/recent.h"
#include "approvals/spool.h"
#include "core/ledger.h"
#include "core/presence.h"
#include "core/trusted_time.h"

#include <functional>
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

// A session that a revocation event names by its id. The store knows no sessions: whoever does ends it, but
// only where its approval is of one of these issuers. A replay does no harm.
struct EndedSession {
    std::string id;                   // "7f3a2c1e-42"
    std::vector<std::string> issuers; // never empty
};

struct Outcome {
    Disposition disposition = Disposition::refused;
    std::string word;       // "accepted", "duplicate", or the refusal's: "rollback", "not_for_this_host" ...
    std::string text;       // one line
    DocumentFacts document; // kind() says which it was
    LedgerChange change;    // of a list or a revocation; of a list that can't be written what it takes away
    std::vector<ApprovalId> present; // whose lease changed
    // To be acted upon whatever the disposition: `ignored` for one that was revoked before.
    std::optional<EndedSession> ended_session;
    bool alert = false; // tell it: refused, and not told before for these bytes
    // Left in the spool: it may be taken again later (state could not be written). Where it is `accepted` it
    // has taken effect all the same.
    bool retry = false;
    std::optional<Error> spool_problem; // the judged file could not be removed
};

// A kept document that grants nothing now, and why. Leases are named only where they were changed on disk.
struct KeptProblem {
    DocumentFacts document;
    Refusal refusal;
};

struct LoadReport {
    std::size_t lists = 0; // in force again
    std::vector<KeptProblem> problems;
};

struct ReverifyReport {
    LedgerChange change;             // removed: lists withdrawn; added: lists whose key came back
    std::vector<ApprovalId> present; // whose lease changed
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

    // Takes every list out of force, over restarts too; each counts again only by a newer one. Error: it
    // can't be written, and holds until the next start.
    struct Forgotten {
        LedgerChange change;
        Status written;
    };
    [[nodiscard]] Forgotten forget_lists();

    // Each minute and at the end. Also removes the leases that have been over for a day. Nothing where the
    // store isn't loaded.
    [[nodiscard]] Status save_time(const Moment& now);
    void retime(const Moment& now);

    // The raw bytes of a list in force, by its SHA-256.
    [[nodiscard]] Result<std::string> raw(const std::string& sha256) const;

    [[nodiscard]] const Ledger& ledger() const { return ledger_; }
    [[nodiscard]] const PresenceBook& presence() const { return presence_; }
    // Its `problems` are those of the key files as they were last read.
    [[nodiscard]] const TrustSet& trust() const { return trust_; }
    [[nodiscard]] TrustedTime& time() { return time_; }

  private:
    // What an acceptance came to, beside what it changed.
    struct Accepted {
        bool duplicate = false;
        std::optional<Error> unwritten; // it has taken effect, but is not on disk
    };

    [[nodiscard]] Outcome judge(const SpoolFile& file, const std::string& name, const Moment& now);
    [[nodiscard]] Judged<Accepted> accept(ApprovalList list, std::string_view raw, const Moment& now,
                                          Outcome& out);
    [[nodiscard]] Judged<Accepted> accept(const LeaseDocument& lease, std::string_view raw, const Moment& now,
                                          Outcome& out);
    [[nodiscard]] Judged<Accepted> accept(const RevocationDocument& event, std::string_view raw,
                                          const Moment& now, Outcome& out);
    [[nodiscard]] Judged<ApprovalList> read_kept(const Sequence& sequence, DocumentFacts& facts) const;
    void reread(const Moment& asked, ReverifyReport& report);
    [[nodiscard]] Judged<void> fits_approval(const LeaseDocument& lease, const Moment& now) const;
    [[nodiscard]] std::vector<LeaseDocument> read_leases(ReverifyReport& report) const;
    [[nodiscard]] Moment reread_leases(Moment now, ReverifyReport& report);
    [[nodiscard]] Accepted write_event(const std::string& sha256, bool duplicate,
                                       const std::function<Status()>& write);
    [[nodiscard]] std::set<std::string> lease_files() const;
    void remove_unnamed_leases(const std::set<std::string>& before) const;
    [[nodiscard]] std::string document_path(const std::string& sha256) const;
    void remove_litter() const;

    StorePaths paths_;
    LedgerSettings settings_;
    TrustSet trust_;
    IssuerRules rules_;
    Ledger ledger_;
    LeaseFolder lease_folder_;
    PresenceBook presence_;
    std::set<std::string> unwritten_; // documents that have taken effect, but are not on disk, by SHA-256
    TrustedTime time_;
    bool loaded_ = false;
    Recent told_{4096}; // refusals alerted already
};

} // namespace escort
