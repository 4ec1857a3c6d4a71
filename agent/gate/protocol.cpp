#include "gate/protocol.h"

#include <array>
#include <charconv>
#include <cstdint>

namespace escort::gate {

namespace {

// "escg", version, kind, then phase or decision; then the fields, each with its length (32 bits, little
// endian) before it. Nothing follows the last.
constexpr std::string_view kMagic = "escg";
constexpr char kVersion = 1;
constexpr char kRequest = 1;
constexpr char kAnswer = 2;
constexpr std::size_t kHeaderBytes = 7;
constexpr std::size_t kSecondsBytes = 10; // of a 32-bit number

struct Limit {
    std::size_t bytes;
    bool lines = false; // may hold line ends
};

bool is_clean(std::string_view text, bool lines) {
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if ((byte < 0x20 && !(lines && c == '\n')) || byte == 0x7f) return false;
    }
    return true;
}

Status check(std::string_view text, const Limit& limit) {
    if (text.size() > limit.bytes) return fail("gate message", "a field is too long");
    if (!is_clean(text, limit.lines)) return fail("gate message", "a field holds a control character");
    return {};
}

Status put(std::string& message, std::string_view text, const Limit& limit) {
    if (auto checked = check(text, limit); !checked) return checked;
    for (unsigned shift = 0; shift < 32; shift += 8)
        message.push_back(static_cast<char>(text.size() >> shift & 0xff));
    message += text;
    return {};
}

// Takes the next field off the front of `rest`.
Status take(std::string_view& rest, std::string& text, const Limit& limit) {
    if (rest.size() < 4) return fail("gate message", "is cut short");
    std::size_t length = 0;
    for (unsigned i = 0; i < 4; ++i)
        length |= std::size_t{static_cast<unsigned char>(rest[i])} << 8 * i;
    rest.remove_prefix(4);
    if (length > rest.size()) return fail("gate message", "is cut short");
    const auto field = rest.substr(0, length);
    if (auto checked = check(field, limit); !checked) return checked;
    text = field;
    rest.remove_prefix(length);
    return {};
}

std::string header(char kind, unsigned char what) {
    std::string message(kMagic);
    message += {kVersion, kind, static_cast<char>(what)};
    return message;
}

// The byte of the header that says which: 1 to 3, for a phase as for a decision.
Result<unsigned char> open_message(std::string_view message, char kind) {
    if (message.size() < kHeaderBytes || !message.starts_with(kMagic))
        return fail("gate message", "is not one");
    if (message[4] != kVersion) return fail("gate message", "is of another version");
    if (message[5] != kind) return fail("gate message", "goes the other way");
    const auto what = static_cast<unsigned char>(message[6]);
    if (what < 1 || what > 3) return fail("gate message", "asks for nothing known");
    return what;
}

template <typename Message>
struct Field {
    std::string Message::*text;
    Limit limit;
};

constexpr std::array<Field<GateRequest>, 6> kRequestFields = {{
    {&GateRequest::service, {kNameBytes}},
    {&GateRequest::user, {kNameBytes}},
    {&GateRequest::rhost, {kNameBytes}},
    {&GateRequest::ruser, {kNameBytes}},
    {&GateRequest::tty, {kNameBytes}},
    {&GateRequest::auth_info, {kAuthInfoBytes, true}},
}};
constexpr std::array<Field<GateAnswer>, 2> kAnswerFields = {{
    {&GateAnswer::reference, {kReferenceBytes}},
    {&GateAnswer::message, {kTextBytes}},
}};

template <typename Message, std::size_t N>
Result<std::string> encode_fields(std::string message, const Message& from,
                                  const std::array<Field<Message>, N>& fields) {
    for (const auto& field : fields)
        if (auto done = put(message, from.*field.text, field.limit); !done)
            return tl::unexpected<Error>(done.error());
    return message;
}

// What is left of `message` after its fields.
template <typename Message, std::size_t N>
Result<std::string_view> decode_fields(std::string_view message, Message& into,
                                       const std::array<Field<Message>, N>& fields) {
    std::string_view rest = message.substr(kHeaderBytes);
    for (const auto& field : fields)
        if (auto done = take(rest, into.*field.text, field.limit); !done)
            return tl::unexpected<Error>(done.error());
    return rest;
}

Status check_end(std::string_view rest) {
    if (!rest.empty()) return fail("gate message", "goes on after its end");
    return {};
}

Result<std::uint32_t> read_seconds(std::string_view text) {
    std::uint32_t seconds = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size())
        return fail("gate message", "its time is no number");
    // What no encoding makes: nought is said by leaving it out, and nothing stands before a number.
    if (text.starts_with('0')) return fail("gate message", "its time begins with a nought");
    return seconds;
}

} // namespace

Result<std::string> encode(const GateRequest& request) {
    return encode_fields(header(kRequest, static_cast<unsigned char>(request.phase)), request,
                         kRequestFields);
}

// The time stands last, and only where there is one: a module of the version before, still in memory while
// the package is upgraded, reads all other answers.
Result<std::string> encode(const GateAnswer& answer) {
    auto message =
        encode_fields(header(kAnswer, static_cast<unsigned char>(answer.decision)), answer, kAnswerFields);
    if (!message || answer.runtime_max_s == 0) return message;
    if (auto done = put(*message, std::to_string(answer.runtime_max_s), {kSecondsBytes}); !done)
        return tl::unexpected<Error>(done.error());
    return message;
}

Result<GateRequest> decode_request(std::string_view message) {
    const auto what = open_message(message, kRequest);
    if (!what) return tl::unexpected<Error>(what.error());
    GateRequest request;
    request.phase = static_cast<Phase>(*what);
    const auto rest = decode_fields(message, request, kRequestFields);
    if (!rest) return tl::unexpected<Error>(rest.error());
    if (auto end = check_end(*rest); !end) return tl::unexpected<Error>(end.error());
    return request;
}

Result<GateAnswer> decode_answer(std::string_view message) {
    const auto what = open_message(message, kAnswer);
    if (!what) return tl::unexpected<Error>(what.error());
    GateAnswer answer;
    answer.decision = static_cast<Decision>(*what);
    auto rest = decode_fields(message, answer, kAnswerFields);
    if (!rest) return tl::unexpected<Error>(rest.error());
    if (rest->empty()) return answer;
    std::string text;
    if (auto done = take(*rest, text, {kSecondsBytes}); !done) return tl::unexpected<Error>(done.error());
    if (auto end = check_end(*rest); !end) return tl::unexpected<Error>(end.error());
    const auto seconds = read_seconds(text);
    if (!seconds) return tl::unexpected<Error>(seconds.error());
    answer.runtime_max_s = *seconds;
    return answer;
}

std::string plain_line(std::string_view text, std::size_t limit) {
    std::size_t size = text.size();
    if (size > limit) {
        size = limit;
        while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80)
            --size; // the middle of a character (UTF-8)
    }
    std::string line(text.substr(0, size));
    for (char& c : line)
        if (!is_clean({&c, 1}, false)) c = '?';
    return line;
}

} // namespace escort::gate
