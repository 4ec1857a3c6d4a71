#include "feed/outbox.h"

#include "feed/keys.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace escort {

namespace {

constexpr std::size_t kNumberDigits = 16; // at least
constexpr std::size_t kBootDigits = 8;
constexpr std::string_view kSuffix = ".jws";

template <typename T>
bool take_number(std::string_view digits, int base, T& into) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), into, base);
    return error == std::errc() && end == digits.data() + digits.size();
}

} // namespace

std::string file_name(const EventName& name) {
    return fmt::format("{:0{}}-{:0{}x}.{}{}", name.number, kNumberDigits, name.boot, kBootDigits, name.event,
                       kSuffix);
}

std::optional<EventName> parse_event_name(std::string_view file) {
    EventName name;
    const auto boot = file.find('-');
    const auto event = boot == std::string_view::npos ? boot : file.find('.', boot + 1);
    if (event == std::string_view::npos || file.size() < event + 1 + kSuffix.size()) return std::nullopt;
    if (!take_number(file.substr(0, boot), 10, name.number) ||
        !take_number(file.substr(boot + 1, event - boot - 1), 16, name.boot))
        return std::nullopt;
    name.event = file.substr(event + 1, file.size() - event - 1 - kSuffix.size());
    const bool word = !name.event.empty() && std::all_of(name.event.begin(), name.event.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || c == '_';
    });
    if (!word || file_name(name) != file) return std::nullopt;
    return name;
}

std::string event_id(const EventName& name) {
    return fmt::format("{:08x}-e{}", name.boot, name.number);
}

std::string event_subjects_of(std::string_view host_id) {
    return "escort.events." + key_part(host_id) + ".";
}

std::string event_subject(std::string_view host_id, std::string_view event) {
    return event_subjects_of(host_id) + std::string(event);
}

} // namespace escort
