#include "policy/values.h"

#include "policy/scalars.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <fmt/format.h>
#include <netinet/in.h>
#include <optional>

namespace escort {

namespace {

// ISO 3166-1 alpha-2, officially assigned, as of 2024.
constexpr std::string_view kAssigned = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH "
                                       "BI BJ BL BM BN BO BQ BR BS BT BV BW "
                                       "BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ "
                                       "DK DM DO DZ EC EE EG EH ER ES ET FI "
                                       "FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW "
                                       "GY HK HM HN HR HT HU ID IE IL IM IN "
                                       "IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC "
                                       "LI LK LR LS LT LU LV LY MA MC MD ME "
                                       "MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF "
                                       "NG NI NL NO NP NR NU NZ OM PA PE PF "
                                       "PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG "
                                       "SH SI SJ SK SL SM SN SO SR SS ST SV "
                                       "SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US "
                                       "UY UZ VA VC VE VG VI VN VU WF WS YE "
                                       "YT ZA ZM ZW ";

using Bytes = std::array<unsigned char, sizeof(in6_addr)>;

struct Address {
    int family = AF_UNSPEC;
    unsigned bits = 0;
    Bytes bytes{};
};

std::optional<Address> parse_address(const std::string& text) {
    Address address;
    if (::inet_pton(AF_INET, text.c_str(), address.bytes.data()) == 1) {
        address.family = AF_INET;
        address.bits = 32;
        return address;
    }
    if (::inet_pton(AF_INET6, text.c_str(), address.bytes.data()) != 1) return std::nullopt;
    address.family = AF_INET6;
    address.bits = 128;
    return address;
}

// Clears what stands behind the first `length` bits; whether there was anything.
bool clear_host_bits(Address& address, unsigned length) {
    bool any = false;
    for (unsigned bit = length; bit < address.bits; ++bit) {
        const auto mask = static_cast<unsigned char>(0x80U >> bit % 8);
        any = any || (address.bytes[bit / 8] & mask) != 0;
        address.bytes[bit / 8] = static_cast<unsigned char>(address.bytes[bit / 8] & ~mask);
    }
    return any;
}

std::string text_of(const Address& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const char* done = ::inet_ntop(address.family, address.bytes.data(), text.data(), text.size());
    return done == nullptr ? "" : done;
}

constexpr std::size_t kBracketBytes = 14;
constexpr std::size_t kBracketRanges = 6;

// Of the bracket that `glob` starts with, its end included; 0: it has none, and '[' stands for itself.
std::size_t bracket_length(std::string_view glob) {
    std::size_t at = 1;
    if (at < glob.size() && (glob[at] == '!' || glob[at] == '^')) ++at;
    const auto end = glob.find(']', at + 1); // a ']' that comes first is itself
    return end == std::string_view::npos ? 0 : end + 1;
}

// `inner`: what stands between the brackets.
bool wrong_bracket(std::string_view inner) {
    if (inner.find("[:") != std::string_view::npos || inner.find("[.") != std::string_view::npos ||
        inner.find("[=") != std::string_view::npos)
        return true;
    if (inner.starts_with('!') || inner.starts_with('^')) inner.remove_prefix(1);
    std::size_t ranges = 0;
    for (std::size_t at = 0; at < inner.size(); ++ranges)
        at += at + 2 < inner.size() && inner[at + 1] == '-' ? 3 : 1;
    return ranges > kBracketRanges;
}

} // namespace

std::string wrong_country(std::string_view code) {
    const auto capital = [](char c) { return c >= 'A' && c <= 'Z'; };
    if (code.size() == 2 && capital(code[0]) && capital(code[1])) return "";
    return "is no country code: two capital letters (ISO 3166-1 alpha-2)";
}

bool is_country(std::string_view code) {
    if (code.size() != 2) return false;
    const bool users = code == "AA" || code == "ZZ" || code[0] == 'X' || (code[0] == 'Q' && code[1] >= 'M');
    return users || kAssigned.find(std::string(code) + " ") != std::string_view::npos;
}

WrongNetwork wrong_network(const std::string& text) {
    const std::string why = "is no network such as 203.0.113.0/24 or 2001:db8::/32";
    const auto slash = text.find('/');
    auto address = parse_address(text.substr(0, slash));
    if (!address) return {why, ""};
    if (slash == std::string::npos)
        return {why, fmt::format("for one address write {}/{}", text, address->bits)};
    const std::string digits = text.substr(slash + 1);
    const auto length = decimal(digits);
    const bool plain = length && digits.size() <= 3 && (digits.size() == 1 || digits[0] != '0');
    if (!plain || *length > address->bits) return {why, ""};
    if (clear_host_bits(*address, static_cast<unsigned>(*length)))
        return {fmt::format("has bits set behind its length, {}", *length),
                fmt::format("the network is {}/{}", text_of(*address), *length)};
    return {};
}

std::string wrong_program(std::string_view program) {
    const std::string_view path = program.substr(0, program.find(' '));
    if (path.empty() || path.front() != '/') return "is no absolute path";
    const std::string whole = std::string(path) + "/";
    for (const char* part : {"//", "/./", "/../"})
        if (whole.find(part) != std::string::npos) return "is no plain path of a program";
    if (std::any_of(program.begin(), program.end(),
                    [](char c) { return static_cast<unsigned char>(c) < ' '; }))
        return "holds a control character";
    std::size_t bytes = 0;
    for (std::size_t at = 0; at < program.size(); ++bytes) {
        const std::size_t length = program[at] == '[' ? bracket_length(program.substr(at)) : 0;
        if (length > 0 && wrong_bracket(program.substr(at + 1, length - 2)))
            return fmt::format("holds a bracket with a named class or more than {} ranges", kBracketRanges);
        if (length > 0) bytes += kBracketBytes - 1;
        at += length > 0 ? length : 1;
    }
    constexpr std::size_t kLongest = 127; // ESCORT_PATTERN with its NUL
    return bytes > kLongest ? fmt::format("is longer than {} bytes", kLongest) : "";
}

} // namespace escort
