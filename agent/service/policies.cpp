#include "service/policies.h"

#include "base/clock.h"
#include "base/file.h"
#include "gate/principals_file.h"
#include "nss/protocol.h"
#include "output/records.h"
#include "policy/read_principals.h"

#include <algorithm>
#include <sstream>
#include <sys/stat.h>

namespace escort {

namespace {

constexpr const char* kStateHint = "check space and permissions of the state folder";
constexpr std::size_t kAccountsLimit = std::size_t{32} << 20;

std::string accounts_file(const PolicyPaths& paths) {
    return paths.state + "/accounts.json";
}

// What was last known of the accounts: where the directory can't be reached at the start, its principals are
// still principals.
AccountsAnswer last_known(const PolicyPaths& paths) {
    const auto text = read_file(accounts_file(paths), kAccountsLimit);
    if (!text) return {};
    return decode_accounts(*text).value_or(AccountsAnswer{});
}

// Where no set of policies is valid, and none was kept: nobody gets in as those whom the last one governed,
// by the file that the gate has of them.
PolicySet refusing_set(const PolicyPaths& paths) {
    PolicySet set;
    const auto text = read_file(paths.state + "/principals", gate::kPrincipalsFileBytes);
    const auto last = text ? gate::read_principals(*text) : Result<gate::PrincipalsFile>();
    if (!text || !last) return set;
    for (const auto mode : {gate::Governed::enforced, gate::Governed::observed}) {
        Policy policy; // its entries are none: no way in is allowed
        policy.exempt = default_exemptions();
        policy.name = mode == gate::Governed::enforced ? "last-known" : "last-known-observed";
        policy.mode.value = mode == gate::Governed::enforced ? Mode::enforce : Mode::observe;
        for (const auto& mark : last->uids)
            if (mark.mode == mode) policy.principals.uids.push_back({{mark.first, mark.last}, {}});
        for (const auto& names : {last->names, last->patterns})
            for (const auto& mark : names)
                if (mark.mode == mode) policy.principals.users.push_back({mark.name, {}});
        if (!policy.principals.uids.empty() || !policy.principals.users.empty())
            set.policies.push_back(std::move(policy));
    }
    return set;
}

std::string added_file(const PolicyPaths& paths) {
    return paths.state + "/accounts-added";
}

// Principals that were looked up one by one: a directory that lists nobody would not tell of them again.
std::vector<Account> last_added(const PolicyPaths& paths) {
    std::vector<Account> accounts;
    std::istringstream lines(read_file(added_file(paths), kAccountsLimit).value_or(""));
    for (std::string line; std::getline(lines, line);)
        if (auto account = decode_account(line); account && *account)
            accounts.push_back(std::move(**account));
    return accounts;
}

bool look_up_failed(const AccountsAnswer& answer) {
    const auto failed = [](const auto& entry) { return entry.second == LookUp::failed; };
    return !answer.enumerated || std::any_of(answer.groups.begin(), answer.groups.end(), failed) ||
           std::any_of(answer.users.begin(), answer.users.end(),
                       [](const auto& entry) { return entry.second.state == LookUp::failed; });
}

// The local account files as they are now: inode and time of the last change of each.
std::string local_files_stamp() {
    std::string seen;
    for (const auto* file : {"/etc/passwd", "/etc/group"}) {
        struct stat info {};
        if (::stat(file, &info) != 0) continue;
        seen += std::to_string(info.st_ino) + ":" + std::to_string(info.st_mtim.tv_sec) + "." +
                std::to_string(info.st_mtim.tv_nsec) + " ";
    }
    return seen;
}

} // namespace

Policies::Policies(PolicyPaths paths, Rulebook& rulebook, NssClient& nss, Journal& journal, Health& health)
    : paths_(std::move(paths)),
      rulebook_(rulebook),
      nss_(nss),
      journal_(journal),
      health_(health),
      keeper_(paths_.state),
      accounts_(last_known(paths_)) {
    for (const auto& account : last_added(paths_))
        rulebook_.remember(account);
}

bool Policies::add(const Account& account) {
    if (!rulebook_.add_account(account)) return false;
    save_added();
    return true;
}

void Policies::save_added() {
    std::string lines;
    for (const auto& account : rulebook_.added_accounts())
        lines += encode_account(std::optional(account)) + "\n";
    if (auto saved = write_file_atomically(added_file(paths_), lines, 0600); !saved)
        health_.degrade("state", saved.error().text(), kStateHint);
}

void Policies::reload(Done done) {
    LoadedPolicies loaded = keeper_.reload(paths_.folder);
    if (loaded.origin == PolicyOrigin::none) loaded.set = refusing_set(paths_);
    if (!pending_) pending_.emplace();
    // A newer load replaces one that still waits; all who asked get the newest's answer.
    pending_->loaded = std::move(loaded);
    pending_->done.push_back(std::move(done));
    refresh();
}

bool Policies::keep_again() {
    const auto kept = keeper_.keep_again();
    if (kept)
        health_.recover("state: policies");
    else
        health_.degrade("state: policies", kept.error().text(), kStateHint);
    return kept.has_value();
}

void Policies::preview(Previewed done) {
    LoadedPolicies loaded = keeper_.preview(paths_.folder);
    const auto question = question_of(loaded.set);
    nss_.accounts(question, [this, loaded = std::move(loaded),
                             done = std::move(done)](const Result<AccountsAnswer>& answer) {
        PolicyReload result;
        result.accepted = loaded.origin == PolicyOrigin::fresh;
        for (const auto& diagnostic : loaded.diagnostics)
            result.diagnostics.push_back(diagnostic.text());
        if (!answer) result.diagnostics.push_back(answer.error().text());
        Rulebook next = rulebook_;
        next.set_policies(loaded.set, answer ? merge(accounts_, *answer) : accounts_);
        for (const auto& warning : next.principals().warnings)
            result.diagnostics.push_back(warning.text());
        done(result, next);
    });
}

void Policies::refresh() {
    if (asking_ && !pending_) return;
    asking_ = true;
    files_asked_ = local_files_stamp(); // before the question: what changes from here on is asked again
    const PolicySet& set = pending_ ? pending_->loaded.set : rulebook_.policies();
    nss_.accounts(question_of(set), [this, question = ++question_](const Result<AccountsAnswer>& answer) {
        if (question != question_) return;
        asking_ = false;
        take_accounts(answer);
    });
}

void Policies::take_accounts(const Result<AccountsAnswer>& answer) {
    AccountsAnswer fresh;
    if (answer) {
        fresh = *answer;
    } else {
        // Nobody answered: every name of the question has failed, so that the last known is kept.
        const auto question = question_of(pending_ ? pending_->loaded.set : rulebook_.policies());
        for (const auto& user : question.users)
            fresh.users[user] = {};
        for (const auto& group : question.groups)
            fresh.groups[group] = LookUp::failed;
    }
    const AccountsAnswer asked = fresh;
    accounts_ = merge(accounts_, std::move(fresh));
    const auto kept = write_file_atomically(accounts_file(paths_), encode_accounts(accounts_), 0600);
    if (!kept) health_.degrade("state", kept.error().text(), kStateHint);
    if (pending_)
        put_in_force();
    else if (const auto& tell = rulebook_.set_accounts(accounts_) ? on_change : on_renewed; tell)
        tell();
    asked_.clear();
    tell_health(answer, asked);
    renew_added();
}

void Policies::tell_health(const Result<AccountsAnswer>& answer, const AccountsAnswer& fresh) {
    constexpr const char* kHint = "check the host's name service (getent passwd, getent group)";
    if (!answer) return health_.degrade("accounts", answer.error().text(), kHint);
    if (look_up_failed(fresh))
        return health_.degrade(
            "accounts", "an account or a group could not be looked up; what was known of it stays", kHint);
    std::string absent; // contract §3: a group that can't be resolved
    for (const auto& [group, state] : fresh.groups)
        if (state == LookUp::absent) absent += (absent.empty() ? "" : ", ") + group;
    if (!absent.empty())
        return health_.degrade("accounts", "a policy names a group that is not there: " + absent,
                               "correct the policy, or make the group");
    health_.recover("accounts");
}

// Principals that the list of accounts may not hold: a directory that lists nobody.
void Policies::renew_added() {
    for (const auto& account : rulebook_.added_accounts())
        nss_.by_uid(account.uid, [this, uid = account.uid](const Result<std::optional<Account>>& answer) {
            if (!answer) return;
            if (!rulebook_.renew_account(uid, *answer)) return;
            save_added();
            if (on_change) on_change();
        });
}

void Policies::go_on_without() {
    question_++; // the answer comes too late
    asking_ = false;
    if (pending_) take_accounts(fail("accounts", "the name service did not answer in time"));
}

void Policies::put_in_force() {
    Pending pending = std::move(*pending_);
    pending_.reset();
    PolicyReload result;
    result.accepted = pending.loaded.origin == PolicyOrigin::fresh;
    for (const auto& diagnostic : pending.loaded.diagnostics)
        result.diagnostics.push_back(diagnostic.text());
    error_.clear();
    if (!result.accepted && !result.diagnostics.empty()) error_ = result.diagnostics.front();
    kept_ = pending.loaded.origin == PolicyOrigin::kept;
    if (result.accepted) loaded_ = wall_seconds();
    rulebook_.set_policies(pending.loaded.set, accounts_);
    for (const auto& warning : rulebook_.principals().warnings)
        result.diagnostics.push_back(warning.text());
    tell(pending.loaded, result);
    if (on_change) on_change();
    for (const auto& done : pending.done)
        done(result);
}

void Policies::tell(const LoadedPolicies& loaded, const PolicyReload& result) {
    PolicyRecord record;
    record.sha256 = loaded.set.sha256;
    record.policies = loaded.set.policies.size();
    record.principals = rulebook_.principals().by_uid.size();
    record.last_good_kept = kept_;
    for (const auto& diagnostic : loaded.diagnostics)
        (diagnostic.severity == Severity::error ? record.errors : record.warnings)
            .push_back(diagnostic.text());
    for (const auto& warning : rulebook_.principals().warnings)
        record.warnings.push_back(warning.text());
    if (result.accepted) {
        health_.recover("policy");
        journal_.write(policy_loaded(record));
        return;
    }
    journal_.write(policy_refused(record));
    health_.degrade(
        "policy", error_,
        kept_ ? "the last good set stays in force; correct the file and reload"
        : loaded.set.policies.empty()
            ? "no policy is in force; correct the file and reload"
            : "accounts that the last policies governed are refused (units aren't); correct the file "
              "and reload");
}

bool Policies::account_files_changed() const {
    return local_files_stamp() != files_asked_;
}

void Policies::look_up(std::uint32_t uid) {
    if (!asked_.insert(uid).second) return;
    nss_.by_uid(uid, [this, uid](const Result<std::optional<Account>>& answer) {
        asked_.erase(uid);
        if (!answer) {
            health_.degrade("accounts", answer.error().text(),
                            "check the host's name service (getent passwd UID)");
            if (on_looked_up) on_looked_up(uid, Found::unknown);
            return;
        }
        const bool principal = *answer && add(**answer);
        if (on_looked_up) on_looked_up(uid, principal ? Found::principal : Found::nobody);
    });
}

} // namespace escort
