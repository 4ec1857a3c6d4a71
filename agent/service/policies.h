// The policy set in force and the accounts it governs: loads and reloads the one, looks up the other through
// the NSS helper, and puts both into the rulebook together.
#pragma once

#include "nss/client.h"
#include "output/journal.h"
#include "policy/keeper.h"
#include "service/health.h"
#include "service/rulebook.h"

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace escort {

struct PolicyReload {
    bool accepted = false;
    std::vector<std::string> diagnostics; // "FILE:LINE:COLUMN: error: MESSAGE"
};

struct PolicyPaths {
    std::string folder; // policies.d
    std::string state;
};

class Policies {
  public:
    using Done = std::function<void(const PolicyReload&)>;

    // All must outlive this.
    Policies(PolicyPaths paths, Rulebook& rulebook, NssClient& nss, Journal& journal, Health& health);

    // Loads the folder (or keeps the last good set) and looks its accounts up. `done` is called once the set
    // is in force, or refused. The rulebook changes only then.
    void reload(Done done);
    // What the folder holds, with its accounts looked up; keeps nothing and changes nothing. `next` is the
    // rulebook as it would be; a refused set is the last good one.
    using Previewed = std::function<void(const PolicyReload&, const Rulebook& next)>;
    void preview(Previewed done);
    // The last good set's files in state once more, over what somebody has made of them. false: it could not
    // be (condition `state: policies`).
    bool keep_again();
    // Looks the accounts of the set in force up again.
    void refresh();
    // The set waits for a look-up that takes too long: it goes into force with what is known of its accounts.
    void go_on_without();
    // Has a local account file changed since the accounts were last asked for?
    [[nodiscard]] bool account_files_changed() const;
    // An account that was looked up by itself: governed from now on, over reloads and restarts, where the
    // policies name it. true: they do, and it wasn't before.
    bool add(const Account& account);
    // A uid that nobody has looked up: on_looked_up is called with the answer.
    void look_up(std::uint32_t uid);

    // The rulebook has changed.
    std::function<void()> on_change;
    // The accounts were asked for again, and are the same; whom a directory does not list may be another's
    // now.
    std::function<void()> on_renewed;
    // The uid was looked up: it is a principal now, it is none, or nobody can say.
    enum class Found { principal, nobody, unknown };
    std::function<void(std::uint32_t, Found)> on_looked_up;

    [[nodiscard]] const std::string& error() const { return error_; } // of the last refused set; empty: none
    [[nodiscard]] std::int64_t loaded() const { return loaded_; }     // seconds since the epoch; 0: never
    [[nodiscard]] bool kept() const { return kept_; }                 // an earlier set is in force
    // false: the folder's set was refused and none was ever kept: who is governed isn't known.
    [[nodiscard]] bool known() const { return kept_ || loaded_ != 0; }

  private:
    struct Pending { // a set that waits for its accounts
        LoadedPolicies loaded;
        std::vector<Done> done;
    };
    void put_in_force();
    void take_accounts(const Result<AccountsAnswer>& answer);
    void tell_health(const Result<AccountsAnswer>& answer, const AccountsAnswer& fresh);
    void renew_added();
    void save_added();
    void tell(const LoadedPolicies& loaded, const PolicyReload& result);

    PolicyPaths paths_;
    Rulebook& rulebook_;
    NssClient& nss_;
    Journal& journal_;
    Health& health_;
    PolicyKeeper keeper_;
    AccountsAnswer accounts_; // merged: a failed look-up never removes a principal
    std::optional<Pending> pending_;
    bool asking_ = false;
    std::uint64_t question_ = 0; // the newest; answers to older ones are for another set
    std::set<std::uint32_t> asked_;
    std::string error_;
    std::int64_t loaded_ = 0;
    bool kept_ = false;
    std::string files_asked_;
};

} // namespace escort
