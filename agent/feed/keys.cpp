#include "feed/keys.h"

#include <fmt/format.h>

namespace escort {

std::string key_part(std::string_view id) {
    std::string out;
    for (const char c : id) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                           c == '-' || c == '_';
        out += plain ? std::string(1, c) : fmt::format("={:02X}", static_cast<unsigned char>(c));
    }
    return out;
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
