// What the daemon and its NSS helper say to each other: one JSON object a line, a request then its answer.
//
//   {"op":"accounts","users":[...],"groups":[...]}   ->  {"accounts":[{"name","uid","groups"}],
//        "users":{NAME:{"state":"found|absent|failed","uid"}},"groups":{NAME:STATE},"enumerated":bool}
//   {"op":"uid","uid":N} | {"op":"name","name":S}    ->  {"account":{...}} | {"account":null} | {"error":S}
//
// The answer to "accounts" is also how the daemon may keep the last known accounts in state.
#pragma once

#include "base/result.h"
#include "policy/accounts.h"

#include <optional>
#include <string>
#include <variant>

namespace escort {

constexpr std::size_t kNssLineBytes = std::size_t{32} << 20; // half a million accounts

struct UidQuestion {
    std::uint32_t uid = 0;
};
struct NameQuestion {
    std::string name;
};
using NssQuestion = std::variant<AccountsQuestion, UidQuestion, NameQuestion>;

// Without the line feed.
[[nodiscard]] std::string encode_question(const NssQuestion& question);
[[nodiscard]] Result<NssQuestion> decode_question(const std::string& line);

[[nodiscard]] std::string encode_accounts(const AccountsAnswer& answer);
[[nodiscard]] Result<AccountsAnswer> decode_accounts(const std::string& line);

// An error here is either the helper's own ("look-up failed: ...") or a line that can't be understood.
[[nodiscard]] std::string encode_account(const Result<std::optional<Account>>& answer);
[[nodiscard]] Result<std::optional<Account>> decode_account(const std::string& line);

} // namespace escort
