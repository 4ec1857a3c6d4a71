#include "escortctl/payload.h"

#include "approvals/document.h"
#include "approvals/revocation.h"
#include "escortctl/broker.h"
#include "escortctl/words.h"
#include "policy/scalars.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace escort::ctl {

namespace {

using nlohmann::ordered_json;

constexpr std::int64_t kLeaseSeconds = 60;

// An integer of the core schema: decimal with a sign, 0o17, 0x1f. What fits no 64 bits stays a number as a
// float.
ordered_json integer_json(const YamlNode& node) {
    if (const auto value = integer_of(node)) return *value;
    const char* const end = node.text.data() + node.text.size();
    std::int64_t value = 0;
    if (const auto read = std::from_chars(node.text.data(), end, value);
        read.ec == std::errc() && read.ptr == end)
        return value;
    std::uint64_t large = 0;
    if (const auto read = std::from_chars(node.text.data(), end, large);
        read.ec == std::errc() && read.ptr == end)
        return large;
    return std::strtod(node.text.c_str(), nullptr);
}

} // namespace

ordered_json json_of(const YamlNode& node) {
    switch (resolve(node)) {
    case Resolved::null:
        return nullptr;
    case Resolved::boolean:
        return boolean_of(node).value_or(false);
    case Resolved::integer:
        return integer_json(node);
    case Resolved::real:
        return std::strtod(node.text.c_str(), nullptr);
    case Resolved::text:
        return node.text;
    case Resolved::list: {
        ordered_json list = ordered_json::array();
        for (const YamlNode& item : node.items)
            list.push_back(json_of(item));
        return list;
    }
    case Resolved::map: {
        ordered_json map = ordered_json::object();
        for (const YamlMember& member : node.members)
            map[member.key] = json_of(member.value);
        return map;
    }
    }
    return nullptr;
}

std::optional<ordered_json> claims_from(const std::string& file, const std::string& content,
                                        Diagnostics& out) {
    // A large list is rather made by a program, as JSON; the YAML reader's limits are those of policies.
    ordered_json claims = ordered_json::parse(content, nullptr, /*allow_exceptions=*/false);
    if (claims.is_discarded()) {
        const auto node = parse_yaml(file, content, out);
        if (!node) return std::nullopt;
        claims = json_of(*node);
    }
    if (claims.is_object()) return claims;
    out.push_back(
        {Severity::error, {file, 0, 0}, "is no map of claims", "Write the payload's claims, one a line."});
    return std::nullopt;
}

std::optional<PayloadType> payload_type(const std::string& word) {
    if (word == "approvals") return PayloadType::approvals;
    if (word == "breakglass") return PayloadType::breakglass;
    if (word == "presence") return PayloadType::presence;
    if (word == "revocation") return PayloadType::revocation;
    return std::nullopt;
}

namespace {

std::int64_t last_end(const ordered_json& claims) {
    std::int64_t last = 0;
    const auto approvals = claims.find("approvals");
    if (approvals != claims.end() && approvals->is_array())
        for (const auto& approval : *approvals)
            if (approval.is_object() && approval.contains("exp") && approval["exp"].is_number_integer())
                last = std::max(last, approval["exp"].get<std::int64_t>());
    return last;
}

Status add_event(ordered_json& claims) {
    if (!claims.contains("events")) claims["events"][kSessionRevoked] = ordered_json::object();
    if (claims.contains("jti")) return {};
    const auto id = random_id("set-");
    if (!id) return tl::unexpected(id.error());
    claims["jti"] = *id;
    return {};
}

} // namespace

Status add_defaults(ordered_json& claims, PayloadType type, std::int64_t now) {
    if (!claims.contains("iat")) claims["iat"] = now;
    if (type == PayloadType::revocation) return add_event(claims);
    if (claims.contains("exp") || !claims["iat"].is_number_integer()) return {};
    const auto iat = claims["iat"].get<std::int64_t>();
    if (type == PayloadType::presence)
        claims["exp"] = iat + kLeaseSeconds;
    else if (type == PayloadType::breakglass)
        claims["exp"] = std::min(list_expiry(iat, last_end(claims)), iat + kBreakGlassLifetime);
    else
        claims["exp"] = list_expiry(iat, last_end(claims));
    return {};
}

} // namespace escort::ctl
