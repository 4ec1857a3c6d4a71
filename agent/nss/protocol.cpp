#include "nss/protocol.h"

#include "base/json_number.h"

#include <nlohmann/json.hpp>

namespace escort {

namespace {

using nlohmann::json;

const char* to_word(LookUp state) {
    switch (state) {
    case LookUp::found:
        return "found";
    case LookUp::absent:
        return "absent";
    case LookUp::failed:
        break;
    }
    return "failed";
}

LookUp state_from(const json& word) {
    const auto& text = word.get_ref<const std::string&>();
    if (text == "found") return LookUp::found;
    return text == "absent" ? LookUp::absent : LookUp::failed;
}

// Names come from outside and need not be UTF-8: such bytes are replaced, and such a name then matches
// nothing.
std::string dump(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json account_json(const Account& account) {
    return {{"name", account.name}, {"uid", account.uid}, {"groups", account.groups}};
}

Account account_from(const json& value) {
    return {value.at("name").get<std::string>(), number_from<std::uint32_t>(value.at("uid")),
            value.at("groups").get<std::set<std::string>>()};
}

// Runs `read` on the parsed line; exceptions of the library stop here.
template <typename Read>
auto decode(const std::string& line, const Read& read) -> decltype(read(json())) {
    try {
        return read(json::parse(line));
    } catch (const json::exception& problem) {
        return fail("NSS helper", std::string("a line that can't be understood: ") + problem.what());
    }
}

} // namespace

std::string encode_question(const NssQuestion& question) {
    if (const auto* accounts = std::get_if<AccountsQuestion>(&question))
        return dump({{"op", "accounts"}, {"users", accounts->users}, {"groups", accounts->groups}});
    if (const auto* uid = std::get_if<UidQuestion>(&question))
        return dump({{"op", "uid"}, {"uid", uid->uid}});
    return dump({{"op", "name"}, {"name", std::get<NameQuestion>(question).name}});
}

Result<NssQuestion> decode_question(const std::string& line) {
    return decode(line, [](const json& value) -> Result<NssQuestion> {
        const auto op = value.at("op").get<std::string>();
        if (op == "uid") return UidQuestion{number_from<std::uint32_t>(value.at("uid"))};
        if (op == "name") return NameQuestion{value.at("name").get<std::string>()};
        if (op != "accounts") return fail("NSS helper", "unknown request \"" + op + "\"");
        return AccountsQuestion{value.at("users").get<std::set<std::string>>(),
                                value.at("groups").get<std::set<std::string>>()};
    });
}

std::string encode_accounts(const AccountsAnswer& answer) {
    json accounts = json::array();
    for (const auto& account : answer.accounts)
        accounts.push_back(account_json(account));
    json users = json::object();
    for (const auto& [name, user] : answer.users)
        users[name] = {{"state", to_word(user.state)}, {"uid", user.uid}};
    json groups = json::object();
    for (const auto& [name, state] : answer.groups)
        groups[name] = to_word(state);
    return dump({{"accounts", std::move(accounts)},
                 {"users", std::move(users)},
                 {"groups", std::move(groups)},
                 {"enumerated", answer.enumerated}});
}

Result<AccountsAnswer> decode_accounts(const std::string& line) {
    return decode(line, [](const json& value) -> Result<AccountsAnswer> {
        AccountsAnswer answer;
        for (const auto& account : value.at("accounts"))
            answer.accounts.push_back(account_from(account));
        for (const auto& [name, user] : value.at("users").items())
            answer.users[name] = {state_from(user.at("state")), number_from<std::uint32_t>(user.at("uid"))};
        for (const auto& [name, state] : value.at("groups").items())
            answer.groups[name] = state_from(state);
        answer.enumerated = value.at("enumerated").get<bool>();
        return answer;
    });
}

std::string encode_account(const Result<std::optional<Account>>& answer) {
    if (!answer) return dump({{"error", answer.error().text()}});
    return dump({{"account", *answer ? account_json(**answer) : json(nullptr)}});
}

Result<std::optional<Account>> decode_account(const std::string& line) {
    return decode(line, [](const json& value) -> Result<std::optional<Account>> {
        if (value.contains("error")) return fail("NSS", value.at("error").get<std::string>());
        const auto& account = value.at("account");
        if (account.is_null()) return std::nullopt;
        return account_from(account);
    });
}

} // namespace escort
