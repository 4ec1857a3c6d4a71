// Whose sessions are governed and what is approved, put together: the policy set in force, the accounts that
// it resolves to, the ledger. Judges, and compiles the kernel's rules. Holds values; does no I/O.
#pragma once

#include "core/ledger.h"
#include "core/session.h"
#include "core/verdict.h"
#include "kernel/rules.h"
#include "policy/principals.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace escort {

// A principal and the policy that governs it.
struct Governed {
    std::string account; // "uid 60001" where no account of that number is known
    const Policy* policy = nullptr;
};

class Rulebook {
  public:
    // `ledger` must outlive this. `observe`: mode_override of the settings.
    Rulebook(const Ledger& ledger, bool observe) : ledger_(ledger), observe_(observe) {}

    // A new set takes effect with the accounts it resolves to, in one step.
    void set_policies(PolicySet set, AccountsAnswer accounts);
    // The same set, looked up again. true: something changed.
    bool set_accounts(AccountsAnswer accounts);
    // One account that was looked up by itself. true: it is a principal, and was none before.
    bool add_account(const Account& account);

    [[nodiscard]] std::optional<Governed> governed(std::uint32_t uid) const;
    [[nodiscard]] std::optional<std::uint32_t> uid_of(const std::string& account) const;

    [[nodiscard]] Verdict judge(const Governed& governed, const SessionFacts& facts, const Moment& now) const;
    [[nodiscard]] std::vector<KernelRule> kernel_rules(const Moment& now) const;

    [[nodiscard]] const PolicySet& policies() const { return set_; }
    [[nodiscard]] const ResolvedPrincipals& principals() const { return principals_; }
    [[nodiscard]] const AccountsAnswer& accounts() const { return accounts_; }
    [[nodiscard]] const Ledger& ledger() const { return ledger_; }
    [[nodiscard]] bool observing() const { return observe_; }

  private:
    [[nodiscard]] std::vector<ExemptRule> exemptions() const;

    const Ledger& ledger_;
    bool observe_;
    PolicySet set_;
    AccountsAnswer accounts_;
    ResolvedPrincipals principals_;
    std::vector<Account> singles_; // principals that only a look-up by number found
};

} // namespace escort
