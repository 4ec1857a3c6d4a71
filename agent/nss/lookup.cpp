#include "nss/lookup.h"

#include <algorithm>
#include <cerrno>
#include <grp.h>
#include <pwd.h>

namespace escort {

namespace {

constexpr std::size_t kFirstBuffer = 4096;
constexpr std::size_t kLargestBuffer = std::size_t{16} << 20; // a group of a few hundred thousand members

struct User {
    std::string name;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
};

struct Group {
    std::string name;
    std::uint32_t gid = 0;
    std::vector<std::string> members;
};

User copy_of(const passwd& entry) {
    return {entry.pw_name, entry.pw_uid, entry.pw_gid};
}

Group copy_of(const group& entry) {
    Group copy{entry.gr_name, entry.gr_gid, {}};
    for (char** member = entry.gr_mem; member != nullptr && *member != nullptr; ++member)
        copy.members.emplace_back(*member);
    return copy;
}

// Calls one of getpw*_r, getgr*_r with a buffer that grows as it asks. glibc returns 0 without an entry only
// where a service answered that there is none; everything else means that some service could not answer.
template <typename Entry, typename Call>
auto ask(const std::string& what, const Call& call) -> Result<std::optional<decltype(copy_of(Entry{}))>> {
    for (std::size_t size = kFirstBuffer; size <= kLargestBuffer; size *= 4) {
        std::vector<char> buffer(size);
        Entry entry{};
        Entry* found = nullptr;
        const int error = call(&entry, buffer.data(), buffer.size(), &found);
        if (error == ERANGE || error == EINTR) continue;
        if (error != 0) return fail_errno(what, "look-up failed", error);
        if (found == nullptr) return std::nullopt;
        return copy_of(entry);
    }
    return fail(what, "look-up failed: the answer is too large");
}

Result<std::optional<User>> user_named(const std::string& name) {
    return ask<passwd>(name, [&](passwd* entry, char* buffer, std::size_t size, passwd** found) {
        return ::getpwnam_r(name.c_str(), entry, buffer, size, found);
    });
}

Result<std::optional<User>> user_with(std::uint32_t uid) {
    return ask<passwd>("uid " + std::to_string(uid),
                       [&](passwd* entry, char* buffer, std::size_t size, passwd** found) {
                           return ::getpwuid_r(uid, entry, buffer, size, found);
                       });
}

Result<std::optional<Group>> group_named(const std::string& name) {
    return ask<group>(name, [&](group* entry, char* buffer, std::size_t size, group** found) {
        return ::getgrnam_r(name.c_str(), entry, buffer, size, found);
    });
}

Result<std::optional<Group>> group_with(std::uint32_t gid) {
    return ask<group>("gid " + std::to_string(gid),
                      [&](group* entry, char* buffer, std::size_t size, group** found) {
                          return ::getgrgid_r(gid, entry, buffer, size, found);
                      });
}

// Everything in passwd that NSS is willing to list; nothing when it broke off.
std::optional<std::vector<User>> all_users() {
    std::vector<User> users;
    std::vector<char> buffer(kFirstBuffer);
    ::setpwent();
    int error = 0;
    for (;;) {
        passwd entry{};
        passwd* found = nullptr;
        error = ::getpwent_r(&entry, buffer.data(), buffer.size(), &found);
        if (error == ERANGE && buffer.size() < kLargestBuffer) {
            buffer.resize(buffer.size() * 4);
            continue;
        }
        if (error != 0 || found == nullptr) break;
        users.push_back(copy_of(entry));
    }
    ::endpwent();
    if (error != 0 && error != ENOENT) return std::nullopt; // ENOENT: the end, getpwent_r(3)
    return users;
}

// Builds an answer: accounts by name and uid, each once.
class Collector {
  public:
    AccountsAnswer answer(const AccountsQuestion& question) {
        auto all = all_users();
        answer_.enumerated = all.has_value();
        if (all)
            for (const auto& user : *all)
                add(user);
        for (const auto& name : question.users)
            add_user(name);
        std::vector<Group> groups;
        for (const auto& name : question.groups)
            add_group(name, groups);
        for (const auto& group : groups)
            add_members(group);
        for (auto& [key, account] : accounts_)
            answer_.accounts.push_back(std::move(account));
        return std::move(answer_);
    }

  private:
    using Key = std::pair<std::string, std::uint32_t>;

    void add(const User& user) {
        const Key key{user.name, user.uid};
        accounts_.emplace(key, Account{user.name, user.uid, {}});
        primary_[key] = user.gid;
        by_name_.emplace(user.name, key); // the first of a name is the one that getpwnam finds
    }

    void add_user(const std::string& name) {
        const auto found = user_named(name);
        UserAnswer& state = answer_.users[name];
        if (!found) return; // stays `failed`
        state.state = *found ? LookUp::found : LookUp::absent;
        if (!*found) return;
        state.uid = (*found)->uid;
        add(**found);
    }

    void add_group(const std::string& name, std::vector<Group>& groups) {
        auto found = group_named(name);
        LookUp& state = answer_.groups[name];
        state = !found ? LookUp::failed : *found ? LookUp::found : LookUp::absent;
        if (state != LookUp::found) return;
        (*found)->name = name; // as the policy writes it
        groups.push_back(std::move(**found));
    }

    void add_members(const Group& group) {
        for (const auto& member : group.members) {
            if (!by_name_.contains(member)) {
                const auto user = user_named(member);
                // A member that can't be looked up: what was known of the group must stay.
                if (!user) answer_.groups[group.name] = LookUp::failed;
                if (!user || !*user) continue;
                add(**user);
                by_name_.emplace(member, Key{(*user)->name, (*user)->uid});
            }
            accounts_.at(by_name_.at(member)).groups.insert(group.name);
        }
        for (const auto& [key, gid] : primary_)
            if (gid == group.gid) accounts_.at(key).groups.insert(group.name);
    }

    AccountsAnswer answer_;
    std::map<Key, Account> accounts_;
    std::map<Key, std::uint32_t> primary_;
    std::map<std::string, Key> by_name_;
};

Result<Account> with_groups(const User& user) {
    int count = 64;
    std::vector<gid_t> gids;
    for (int attempt = 0;; ++attempt) {
        gids.resize(static_cast<std::size_t>(count));
        if (::getgrouplist(user.name.c_str(), user.gid, gids.data(), &count) >= 0) break;
        if (attempt == 4) return fail(user.name, "look-up failed: its groups can't be listed");
        count = std::max(count, static_cast<int>(gids.size()) * 2);
    }
    gids.resize(static_cast<std::size_t>(count));
    Account account{user.name, user.uid, {}};
    for (const gid_t gid : gids) {
        const auto group = group_with(gid);
        if (!group) return tl::unexpected(group.error());
        if (*group) account.groups.insert((*group)->name);
    }
    return account;
}

Result<std::optional<Account>> account_of(const Result<std::optional<User>>& user) {
    if (!user) return tl::unexpected(user.error());
    if (!*user) return std::nullopt;
    auto account = with_groups(**user);
    if (!account) return tl::unexpected(account.error());
    return std::optional(std::move(*account));
}

} // namespace

AccountsAnswer look_up_accounts(const AccountsQuestion& question) {
    return Collector().answer(question);
}

Result<std::optional<Account>> look_up_uid(std::uint32_t uid) {
    return account_of(user_with(uid));
}

Result<std::optional<Account>> look_up_name(const std::string& name) {
    return account_of(user_named(name));
}

} // namespace escort
