// Policies, accounts and approvals put together.
#include "service/rulebook.h"

#include <doctest/doctest.h>

using namespace escort;

namespace {

Policy policy(const std::string& name, std::vector<std::string> users, Mode mode = Mode::enforce) {
    Policy policy;
    policy.name = name;
    policy.mode.value = mode;
    policy.require.entries.value = {Entry::sshd};
    policy.require.admission.value = Admission::window;
    for (auto& user : users)
        policy.principals.users.push_back({std::move(user), {}});
    return policy;
}

AccountsAnswer accounts(std::vector<Account> all) {
    AccountsAnswer answer;
    answer.enumerated = true;
    for (const auto& account : all)
        answer.users[account.name] = {LookUp::found, account.uid};
    answer.accounts = std::move(all);
    return answer;
}

const escort_rule* rule(const std::vector<KernelRule>& rules, escort_rule_kind kind, std::uint32_t index) {
    for (const auto& one : rules)
        if (one.key.kind == static_cast<std::uint32_t>(kind) && one.key.index == index) return &one.value;
    return nullptr;
}

const PresenceBook kNobodyPresent;
const Denials kNothingDenied;
const Moment kNow{1'000'000, 1000 * kNsPerSecond};

} // namespace

TEST_CASE("rulebook: an approval opens its account's window in the kernel's rules, and no other's") {
    Ledger ledger({"h1", {}, 0});
    Rulebook book({ledger, kNobodyPresent, kNothingDenied}, false);
    PolicySet set;
    set.policies = {policy("p", {"azsupport", "vendor-two"})};
    book.set_policies(set, accounts({{"azsupport", 1001}, {"vendor-two", 1002}, {"alice", 1003}}));

    auto rules = book.kernel_rules({}, kNow);
    REQUIRE(rule(rules, ESCORT_RULE_PRINCIPAL, 1001) != nullptr);
    CHECK(rule(rules, ESCORT_RULE_PRINCIPAL, 1001)->window_until == 0);
    CHECK(rule(rules, ESCORT_RULE_PRINCIPAL, 1001)->entries == 1U << ESCORT_ENTRY_SSHD);
    CHECK(rule(rules, ESCORT_RULE_PRINCIPAL, 1003) == nullptr);
    CHECK(rule(rules, ESCORT_RULE_PRINCIPAL, kProbeUid)->flags == ESCORT_PRINCIPAL_PROBE);

    ApprovalList list;
    list.issuer = "i";
    list.audience = "host:h1";
    list.iat = kNow.trusted;
    list.exp = kNow.trusted + 600;
    list.sha256 = "x";
    Approval approval;
    approval.jti = "a";
    approval.account = "azsupport";
    approval.nbf = kNow.trusted;
    approval.exp = kNow.trusted + 100;
    list.approvals = {approval};
    REQUIRE(ledger.accept(list, kNow));
    rules = book.kernel_rules({}, kNow);
    CHECK(rule(rules, ESCORT_RULE_PRINCIPAL, 1001)->window_until == kNow.boot_ns + 100 * kNsPerSecond);
    CHECK(rule(rules, ESCORT_RULE_PRINCIPAL, 1002)->window_until == 0);
    CHECK(book.judge(*book.governed(1001), {"azsupport", Entry::sshd, kNow.boot_ns, {}}, {}, kNow).ruling ==
          Ruling::approved);
}

TEST_CASE("rulebook: observe, log and the gate become the kernel's flags") {
    const Ledger ledger({"h1", {}, 0});
    Rulebook book({ledger, kNobodyPresent, kNothingDenied}, false);
    PolicySet set;
    set.policies = {policy("a", {"one"}, Mode::observe), policy("b", {"two"}), policy("c", {"three"})};
    set.policies[1].on_violation.value = Violation::log;
    set.policies[2].require.admission.value = Admission::gate;
    const auto known = accounts({{"one", 1001}, {"two", 1002}, {"three", 1003}});
    book.set_policies(set, known);
    const auto rules = book.kernel_rules({}, kNow);
    CHECK(rule(rules, ESCORT_RULE_PRINCIPAL, 1001)->flags == ESCORT_PRINCIPAL_OBSERVE);
    CHECK(rule(rules, ESCORT_RULE_PRINCIPAL, 1002)->flags == ESCORT_PRINCIPAL_LOG);
    CHECK(rule(rules, ESCORT_RULE_PRINCIPAL, 1003)->flags == ESCORT_PRINCIPAL_GATE);

    Rulebook everywhere({ledger, kNobodyPresent, kNothingDenied}, true); // mode_override: observe
    everywhere.set_policies(set, known);
    CHECK((rule(everywhere.kernel_rules({}, kNow), ESCORT_RULE_PRINCIPAL, 1003)->flags &
           ESCORT_PRINCIPAL_OBSERVE) != 0);
}

TEST_CASE("rulebook: a policy exempts units for its own accounts alone") {
    const Ledger ledger({"h1", {}, 0});
    Rulebook book({ledger, kNobodyPresent, kNothingDenied}, false);
    PolicySet set;
    set.policies = {policy("a", {"one", "two"}), policy("b", {"three"})};
    set.policies[0].exempt = {{"puppet.service", {"one", "three"}, {}}};
    set.policies[1].exempt = {{"sssd.service", {}, {}}};
    book.set_policies(set, accounts({{"one", 1001}, {"two", 1002}, {"three", 1003}}));
    const auto rules = book.kernel_rules({}, kNow);
    REQUIRE(rule(rules, ESCORT_RULE_EXEMPT_UID, 1001) != nullptr);
    CHECK(rule(rules, ESCORT_RULE_EXEMPT_UID, 1002) == nullptr);
    REQUIRE(rule(rules, ESCORT_RULE_EXEMPT_UID, 1003) != nullptr);
    const auto unit_of = [&](std::uint32_t uid) {
        const auto bits = rule(rules, ESCORT_RULE_EXEMPT_UID, uid)->units;
        return std::string(rule(rules, ESCORT_RULE_EXEMPT_UNIT, bits == 1 ? 0 : 1)->unit);
    };
    CHECK(unit_of(1001) == "puppet.service");
    CHECK(unit_of(1003) == "sssd.service");
}

TEST_CASE("rulebook: an account looked up by its number stays a principal when accounts are read again") {
    const Ledger ledger({"h1", {}, 0});
    Rulebook book({ledger, kNobodyPresent, kNothingDenied}, false);
    PolicySet set;
    set.policies = {policy("p", {"vendor-*"})};
    book.set_policies(set, accounts({}));
    CHECK_FALSE(book.governed(5000));
    CHECK_FALSE(book.add_account({"alice", 5001}));
    CHECK(book.add_account({"vendor-ldap", 5000}));
    CHECK_FALSE(book.add_account({"vendor-ldap", 5000})); // known already
    CHECK(book.governed(5000)->account == "vendor-ldap");
    CHECK_FALSE(book.set_accounts(accounts({})));
    CHECK(book.governed(5000));
    CHECK(book.uid_of("vendor-ldap") == 5000);
    REQUIRE(book.added_accounts().size() == 1);
    CHECK(book.added_accounts()[0].uid == 5000);
    book.set_policies(book.policies(), {}); // a reload, of a directory that lists nobody
    CHECK(book.governed(5000));
    CHECK(book.set_accounts(accounts({{"alice", 5000}}))); // the number is hers now
    CHECK_FALSE(book.governed(5000));
    CHECK(book.set_accounts(accounts({})));
    CHECK(book.governed(5000));
    CHECK_FALSE(book.renew_account(5000, Account{"vendor-ldap", 5000})); // as it was
    CHECK(book.governed(5000));
    CHECK(book.renew_account(5000, Account{"alice", 5000})); // its number is another's now
    CHECK_FALSE(book.governed(5000));
    CHECK(book.added_accounts().empty());
    CHECK(book.add_account({"vendor-ldap", 5000}));
    CHECK(book.renew_account(5000, std::nullopt)); // it has gone
    CHECK_FALSE(book.governed(5000));
}

TEST_CASE("rulebook: the gate's names: accounts that are known, and what a policy's pattern names") {
    const Ledger ledger({"h1", {}, 0});
    Rulebook book({ledger, kNobodyPresent, kNothingDenied}, false);
    PolicySet set;
    set.policies = {policy("p", {"azsupport", "vendor-*"})};
    set.policies[0].principals.units = {{"agent.service", {}, {}}};
    book.set_policies(set, accounts({{"azsupport", 1001}}));
    CHECK(book.governed_name("azsupport")->policy->name == "p");
    CHECK(book.governed_name("vendor-of-tomorrow")->account == "vendor-of-tomorrow"); // NSS knows it not yet
    CHECK_FALSE(book.governed_name("alice"));
    CHECK(book.governed_unit("agent.service")->unit);
    CHECK_FALSE(book.governed_unit("other.service"));
    const auto rules = book.kernel_rules({}, kNow);
    const auto* unit = rule(rules, ESCORT_RULE_UNIT, 0);
    REQUIRE(unit != nullptr);
    CHECK(std::string(unit->unit) == "agent.service");
    CHECK(unit->window_until == 0);
}

TEST_CASE("rulebook: a live session stays its own approval's; another can't save it") {
    Ledger ledger({"h1", {}, 0});
    ApprovalList list;
    list.issuer = "i";
    list.audience = "host:h1";
    list.iat = kNow.trusted;
    list.exp = kNow.trusted + 600;
    list.sha256 = "x";
    Approval approval;
    approval.jti = "other";
    approval.account = "azsupport";
    approval.nbf = kNow.trusted;
    approval.exp = kNow.trusted + 600;
    approval.engineer.id = "eng-1";
    list.approvals = {approval};
    REQUIRE(ledger.accept(list, kNow));
    Rulebook book({ledger, kNobodyPresent, kNothingDenied}, false);
    PolicySet set;
    set.policies = {policy("p", {"azsupport"})};
    book.set_policies(set, accounts({{"azsupport", 1001}}));
    SessionFacts facts;
    facts.account = "azsupport";
    facts.entry = Entry::sshd;
    facts.opened_boot_ns = kNow.boot_ns;
    CHECK(book.judge(*book.governed(1001), facts, {}, kNow).ruling == Ruling::approved);
    facts.approval = ApprovalId{"i", "gone"};
    CHECK(book.judge(*book.governed(1001), facts, {}, kNow).ruling == Ruling::denied);
    // The one approval with room for a single session: in use, a second finds the window shut.
    set.policies[0].require.max_sessions = Placed<std::uint32_t>{1, {}};
    book.set_policies(set, accounts({{"azsupport", 1001}}));
    CHECK(rule(book.kernel_rules({}, kNow), ESCORT_RULE_PRINCIPAL, 1001)->window_until != 0);
    CHECK(rule(book.kernel_rules({{{"i", "other"}, 1}}, kNow), ESCORT_RULE_PRINCIPAL, 1001)->window_until ==
          0);
}
