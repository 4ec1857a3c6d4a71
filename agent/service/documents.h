// Signed documents: watches the spool, has each file judged, tells the journal, and remembers how the last
// ones came out for whoever asks. The judging is the store's.
#pragma once

#include "approvals/store.h"
#include "output/journal.h"
#include "service/health.h"
#include "service/timekeeper.h"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <systemd/sd-event.h>
#include <vector>

namespace escort {

class Documents {
  public:
    // All must outlive this. `on_change` is called after an acceptance has taken effect in the ledger.
    Documents(Store& store, Timekeeper& time, Journal& journal, Health& health, std::string spool);
    Documents(const Documents&) = delete;
    Documents& operator=(const Documents&) = delete;

    // Watches the spool from now on. An error: the folder can't be watched.
    [[nodiscard]] Status watch(sd_event* loop);
    // Judges what waits in the spool: 20 ms of it, the rest in later turns of the loop. A courier that was
    // taken over can fill it with files that are long to read.
    void scan();
    // The folder of keys can't be read: what waits in the spool goes on waiting, until reverify(). Refused
    // for want of a key it would be gone, a revocation too.
    void wait_for_keys() { waits_for_keys_ = true; }
    // The machine is a copy: what was approved before grants nothing, until newer lists come.
    void forget_lists();
    // Says which key files are no keys, and which kept documents grant nothing; once the store is loaded.
    void tell_kept(const std::vector<KeptProblem>& kept);
    // Keys or issuers were read again.
    void reverify(TrustSet trust, IssuerRules rules);

    // How a document came out, by the SHA-256 of its bytes; of the last 64.
    [[nodiscard]] const Outcome* outcome(const std::string& sha256) const;

    std::function<void()> on_change;
    // How many live sessions each approval has; for the journal.
    std::function<std::map<ApprovalId, std::uint32_t>()> sessions_in_use;
    std::function<void(const Outcome&)> on_outcome;

  private:
    static int on_rest(sd_event_source*, std::uint64_t, void* self);
    void take_waiting();
    static int on_inotify(sd_event_source* source, const inotify_event* event, void* self);
    void take(const std::string& path);
    void tell(const Outcome& outcome);
    void tell_presence(const ApprovalId& id);
    void tell_change(const LedgerChange& change, const DocumentFacts& document);

    struct Unref {
        void operator()(sd_event_source* source) const { sd_event_source_disable_unref(source); }
    };

    Store& store_;
    Timekeeper& time_;
    Journal& journal_;
    Health& health_;
    std::string spool_;
    std::unique_ptr<sd_event_source, Unref> inotify_;
    std::unique_ptr<sd_event_source, Unref> rest_; // enabled while something of a scan waits
    std::deque<std::string> waiting_;              // paths of a scan
    bool waits_for_keys_ = false;
    std::deque<Outcome> outcomes_;
    std::map<ApprovalId, std::uint64_t> present_until_; // CLOCK_BOOTTIME ns: what the journal was told
};

} // namespace escort
