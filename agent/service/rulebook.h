// Whose sessions are governed and what is approved, put together: the policy set in force, the accounts that
// it resolves to, the ledger. Judges, and compiles the kernel's rules. Holds values; does no I/O.
#pragma once

#include "core/ledger.h"
#include "core/pattern.h"
#include "core/session.h"
#include "core/verdict.h"
#include "kernel/rules.h"
#include "policy/principals.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace escort {

// A principal and the policy that governs it.
struct Governed {
    std::string
        account; // "uid 60001" where no account of that number is known; a unit's name where it is one
    const Policy* policy = nullptr;
    bool unit = false;
};

// What the rulebook reads of the parts that hold it. All must outlive it.
struct RulebookSources {
    const Ledger& ledger;
    const PresenceBook& presence;
    const Denials& denials;
};

class Rulebook {
  public:
    // `observe`: mode_override of the settings.
    Rulebook(const RulebookSources& sources, bool observe) : sources_(sources), observe_(observe) {}

    // A new set takes effect with the accounts it resolves to, in one step.
    void set_policies(PolicySet set, AccountsAnswer accounts);
    // The same set, looked up again. true: something changed.
    bool set_accounts(AccountsAnswer accounts);
    // One account that was looked up by itself. true: it is a principal, and was none before.
    bool add_account(const Account& account);
    // One that add_account has told a daemon before this one of.
    void remember(const Account& account);
    // The accounts that only add_account told of, whatever set is in force, and what a new look-up says of
    // one: it may have gone, have left the group, or its number may be another's by now. true: something
    // changed.
    [[nodiscard]] const std::vector<Account>& added_accounts() const { return singles_; }
    bool renew_account(std::uint32_t uid, const std::optional<Account>& now);

    [[nodiscard]] std::optional<Governed> governed(std::uint32_t uid) const;
    [[nodiscard]] std::optional<Governed> governed_unit(const std::string& unit) const;
    // By the account's name: one that was looked up, or one that a policy's name or pattern names.
    [[nodiscard]] std::optional<Governed> governed_name(const std::string& name) const;
    [[nodiscard]] std::optional<std::uint32_t> uid_of(const std::string& account) const;

    // `in_use`: other live sessions, by the approval that each uses. Without `explain` the verdict has no
    // rules.
    using InUse = std::map<ApprovalId, std::uint32_t>;
    [[nodiscard]] Verdict judge(const Governed& governed, const SessionFacts& facts, const InUse& in_use,
                                const Moment& now, bool explain = true) const;
    // What the kernel is told; `in_use`: all live sessions.
    [[nodiscard]] std::vector<KernelRule> kernel_rules(const InUse& in_use, const Moment& now) const;

    [[nodiscard]] const PolicySet& policies() const { return set_; }
    [[nodiscard]] const ResolvedPrincipals& principals() const { return principals_; }
    [[nodiscard]] const AccountsAnswer& accounts() const { return accounts_; }
    [[nodiscard]] const Ledger& ledger() const { return sources_.ledger; }
    [[nodiscard]] const PresenceBook& presence() const { return sources_.presence; }
    [[nodiscard]] const Denials& denials() const { return sources_.denials; }
    [[nodiscard]] bool observing() const { return observe_; }

  private:
    [[nodiscard]] std::vector<ExemptRule> exemptions() const;
    [[nodiscard]] Evidence evidence() const;
    [[nodiscard]] std::vector<Candidate> candidates(const std::string& name, bool unit,
                                                    const Moment& now) const;
    [[nodiscard]] std::uint64_t window(const Policy& policy, const std::string& name, bool unit,
                                       const InUse& in_use, const Moment& now) const;

    RulebookSources sources_;
    bool observe_;
    PolicySet set_;
    Patterns patterns_; // of the set, compiled
    AccountsAnswer accounts_;
    ResolvedPrincipals principals_;
    std::vector<Account> singles_; // principals that only a look-up by number found
};

} // namespace escort
