#include "courier/answer.h"

#include "approvals/base64url.h"
#include "approvals/document.h"
#include "approvals/jws.h"
#include "approvals/strict_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace escort::courier {

namespace {

using nlohmann::json;

constexpr std::size_t kLongestSet = std::size_t{64} << 10; // bytes
constexpr std::size_t kLongestJti = 1024;                  // contract §4: a string

json parse(std::string_view text) {
    return json::parse(text, nullptr, /*allow_exceptions=*/false);
}

bool is_base64url(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_';
    });
}

json header_of(std::string_view jws) {
    const auto header = jws.substr(0, jws.find('.'));
    if (header.size() > (kHeaderLimit + 2) / 3 * 4) return json(json::value_t::discarded);
    const auto bytes = base64url_decode(header);
    return bytes ? parse(*bytes) : json(json::value_t::discarded);
}

} // namespace

Status check_compact_jws(std::string_view text) {
    const std::string where = "document";
    if (text.size() > kDocumentLimit) return fail(where, "is larger than 16 MiB");
    const auto segments = split_jws(text);
    if (!segments) return fail(where, "is no compact JWS: it has not three parts");
    for (const auto part : {segments->header, segments->payload, segments->signature})
        if (!is_base64url(part)) return fail(where, "is no compact JWS: a part of it is not base64url");
    if (!header_of(text).is_object()) return fail(where, "is no compact JWS: its header is no JSON object");
    return {};
}

bool is_list(std::string_view jws) {
    const json header = header_of(jws);
    if (!header.is_object()) return false;
    const auto typ = header.find("typ");
    return typ != header.end() && typ->is_string() && typ->get_ref<const std::string&>() == kApprovalsType;
}

namespace {

// A JSON list of strings without escapes, which a compact JWS never needs: no tree of whatever a server sends
// is built.
Result<std::vector<std::string>> strings_of(std::string_view list) {
    const std::string where = "answer";
    std::vector<std::string> strings;
    const auto skip = [&] { list.remove_prefix(std::min(list.find_first_not_of(" \t\r\n"), list.size())); };
    const auto take = [&](char c) {
        skip();
        const bool there = list.starts_with(c);
        if (there) list.remove_prefix(1);
        return there;
    };
    if (!take('[')) return fail(where, "is no JSON list");
    for (bool more = !take(']'); more;) {
        if (strings.size() == kMostDocuments)
            return fail(where, "holds more than " + std::to_string(kMostDocuments) + " documents");
        if (!take('"')) return fail(where, "is a JSON list of something else than strings");
        const auto end = list.find_first_of("\"\\");
        if (end == std::string_view::npos || list[end] != '"')
            return fail(where, "is a JSON list of something else than documents");
        strings.emplace_back(list.substr(0, end));
        list.remove_prefix(end + 1);
        more = take(',');
        if (!more && !take(']')) return fail(where, "is no JSON list");
    }
    skip();
    if (!list.empty()) return fail(where, "is no JSON list");
    return strings;
}

} // namespace

Result<std::vector<std::string>> documents_of(std::string_view body) {
    const auto first = body.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return fail("answer", "is empty");
    std::vector<std::string> documents;
    if (body[first] == '[') {
        auto list = strings_of(body);
        if (!list) return list;
        documents = std::move(*list);
    } else {
        documents.emplace_back(document_bytes(body.substr(first)));
    }
    for (const auto& document : documents)
        if (auto good = check_compact_jws(document); !good) return tl::unexpected(good.error());
    return documents;
}

Result<std::vector<std::pair<std::string, std::string>>> sets_of(std::string_view body) {
    const std::string where = "answer";
    auto parsed =
        parse_strict(body, {.depth = 2, .string_bytes = kLongestSet, .list_entries = kMostDocuments});
    if (!parsed) return fail(where, parsed.error().text());
    json& answer = *parsed;
    std::vector<std::pair<std::string, std::string>> polled;
    const auto sets = answer.find("sets");
    if (sets == answer.end() || !sets->is_object()) return fail(where, "its sets is no object");
    if (sets->size() > kMostDocuments)
        return fail(where, "holds more than " + std::to_string(kMostDocuments) + " SETs");
    for (auto& [jti, set] : sets->items()) {
        if (!set.is_string() || jti.size() > kLongestJti)
            return fail(where, "a member of its sets is no SET");
        polled.emplace_back(jti, std::move(set.get_ref<std::string&>()));
    }
    return polled;
}

std::string poll_body(const std::vector<std::string>& acknowledge, const std::vector<std::string>& refuse,
                      std::size_t most, bool at_once) {
    json body = {{"maxEvents", most}, {"returnImmediately", at_once}};
    if (!acknowledge.empty()) body["ack"] = acknowledge;
    for (const auto& jti : refuse) // RFC 8935 §2.4: invalid_request: not even a SET
        body["setErrs"][jti] = {{"err", "invalid_request"}, {"description", "not a compact JWS"}};
    return body.dump(-1, ' ', false, json::error_handler_t::replace);
}

} // namespace escort::courier
