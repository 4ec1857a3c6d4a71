#include "approvals/state.h"

#include "approvals/claims.h"
#include <limits>

namespace escort {

namespace {

using nlohmann::json;

constexpr std::size_t kAnyNumber = std::numeric_limits<std::size_t>::max();

// The format first: a newer file may look like anything.
Status check_format(const std::string& file, std::string_view text, const JsonRules& rules) {
    const JsonSink skip = [](std::size_t, const json&) -> Status { return {}; };
    const auto object = parse_strict(text, rules, skip);
    if (!object) return fail(file, object.error().text());
    const auto found = object->find("format");
    if (found == object->end() || !found->is_number_integer()) return fail(file, "format: is missing");
    if (const auto format = found->get<std::int64_t>(); format != kStateFormat)
        return fail(
            file,
            "is of format " + std::to_string(format) + ", this version reads format " +
                std::to_string(kStateFormat),
            "install the version that wrote it, or move the file away: then replay protection starts anew");
    return {};
}

// One record a line: a person may have to read it.
std::string list_text(const std::vector<std::string>& records) {
    std::string out = "[";
    for (std::size_t i = 0; i < records.size(); ++i)
        out += (i ? ",\n  " : "\n  ") + records[i];
    return out + "]";
}

void read_sequence(Claims& claims, LedgerMemory& memory) {
    const ListKey key{claims.text("iss", Need::required), claims.text("aud", Need::required),
                      claims.text_or_empty("sub"),
                      claims.integer("break_glass", Need::optional, 0, 1).value_or(0) == 1};
    Sequence sequence;
    sequence.seq = static_cast<std::uint64_t>(claims.integer("seq", Need::required, 0).value_or(0));
    sequence.sha256 = claims.text("sha256", Need::required);
    sequence.iat = claims.integer("iat", Need::required, 0).value_or(0);
    sequence.kept = claims.integer("kept", Need::required, 0, 1).value_or(0) == 1;
    memory.sequences[key] = std::move(sequence);
}

void read_tombstone(Claims& claims, LedgerMemory& memory) {
    const ApprovalId id{claims.text("iss", Need::required), claims.text("jti", Need::required)};
    Tombstone stone;
    stone.account = claims.text_or_empty("account");
    stone.until = claims.integer("until", Need::required, 0).value_or(0);
    stone.absent = claims.integer("absent", Need::required, 0, 1).value_or(0) == 1;
    memory.revoked[id] = std::move(stone);
}

} // namespace

Result<json> read_object(const std::string& file, std::string_view text, const JsonRules& rules,
                         const JsonSink& sink) {
    if (auto format = check_format(file, text, rules); !format) return tl::unexpected(format.error());
    auto object = parse_strict(text, rules, sink);
    if (!object) return fail(file, object.error().text());
    return object;
}

std::string write_memory(const LedgerMemory& memory) {
    std::vector<std::string> sequences;
    for (const auto& [key, last] : memory.sequences) {
        json record{{"iss", key.issuer},        {"aud", key.audience},   {"sub", key.subject},
                    {"seq", last.seq},          {"sha256", last.sha256}, {"iat", last.iat},
                    {"kept", last.kept ? 1 : 0}};
        if (key.break_glass) record["break_glass"] = 1;
        sequences.push_back(record.dump());
    }
    std::vector<std::string> revoked;
    revoked.reserve(memory.revoked.size());
    for (const auto& [id, stone] : memory.revoked)
        revoked.push_back(json{{"iss", id.issuer},
                               {"jti", id.jti},
                               {"account", stone.account},
                               {"until", stone.until},
                               {"absent", stone.absent ? 1 : 0}}
                              .dump());
    return "{\"format\": " + std::to_string(kStateFormat) + ",\n \"sequences\": " + list_text(sequences) +
           ",\n \"revoked\": " + list_text(revoked) + "}\n";
}

Result<LedgerMemory> read_memory(const std::string& file, std::string_view text) {
    LedgerMemory memory;
    std::optional<Refusal> refusal;
    JsonRules rules;
    rules.list_entries = kAnyNumber;
    rules.streamed = "revoked"; // the long one
    rules.streamed_entries = kAnyNumber;
    const auto one = [&](const std::string& path, const json& element, auto read) -> Status {
        if (!element.is_object()) return fail(path, "must be an object");
        Claims claims(element, path, refusal);
        read(claims, memory);
        claims.finish();
        if (refusal) return fail("", refusal->text);
        return {};
    };
    const auto object = read_object(file, text, rules, [&](std::size_t i, const json& element) {
        return one("revoked[" + std::to_string(i) + "]", element, read_tombstone);
    });
    if (!object) return tl::unexpected(object.error());
    Claims claims(*object, "", refusal);
    static_cast<void>(claims.integer("format", Need::required, kStateFormat, kStateFormat));
    claims.list("sequences");
    claims.list("revoked");
    claims.finish();
    if (refusal) return fail(file, refusal->text);
    const json& sequences = object->at("sequences");
    for (std::size_t i = 0; i < sequences.size(); ++i)
        if (auto read = one("sequences[" + std::to_string(i) + "]", sequences[i], read_sequence); !read)
            return fail(file, read.error().text());
    return memory;
}

std::string write_time(std::int64_t trusted) {
    return json{{"format", kStateFormat}, {"trusted", trusted}}.dump() + "\n";
}

Result<std::int64_t> read_time(const std::string& file, std::string_view text) {
    const auto object = read_object(file, text, {}, {});
    if (!object) return tl::unexpected(object.error());
    std::optional<Refusal> refusal;
    Claims claims(*object, "", refusal);
    static_cast<void>(claims.integer("format", Need::required, kStateFormat, kStateFormat));
    const auto trusted = claims.integer("trusted", Need::required, 0);
    claims.finish();
    if (refusal) return fail(file, refusal->text);
    return trusted.value_or(0);
}

} // namespace escort
