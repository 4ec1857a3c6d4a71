#include "feed/keys.h"

#include <fmt/format.h>

namespace escort {

namespace {

bool is_letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Bytes other than letters, digits and `plain` as `mark` and two hex digits.
std::string escaped(std::string_view text, std::string_view plain, char mark) {
    std::string out;
    for (const char c : text)
        out += is_letter_or_digit(c) || plain.find(c) != std::string_view::npos
                   ? std::string(1, c)
                   : fmt::format("{}{:02X}", mark, static_cast<unsigned char>(c));
    return out;
}

} // namespace

std::string key_part(std::string_view id) {
    return escaped(id, "-_", '=');
}

std::string url_part(std::string_view id) {
    return escaped(id, "-._~", '%');
}

std::vector<std::string> watched_keys(std::string_view host_id, const std::vector<std::string>& groups) {
    std::vector<std::string> keys;
    const auto add = [&](const std::string& key) {
        keys.push_back(key);
        keys.push_back(key + ".>");
    };
    add("host." + key_part(host_id));
    for (const auto& group : groups)
        add("group." + key_part(group));
    return keys;
}

std::string key_of_audience(std::string_view audience) {
    for (const std::string_view kind : {"host", "group"})
        if (audience.starts_with(kind) && audience.size() > kind.size() + 1 && audience[kind.size()] == ':')
            return std::string(kind) + "." + key_part(audience.substr(kind.size() + 1));
    return {};
}

} // namespace escort
