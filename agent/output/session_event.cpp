#include "output/session_event.h"

#include "output/one_line.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

namespace escort {

namespace {

using nlohmann::ordered_json;

std::string claim_of(Field field) {
    if (field == Field::object_pid) return "pid";
    std::string claim(name(field).substr(std::string_view("ESCORT_").size()));
    std::transform(claim.begin(), claim.end(), claim.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return claim;
}

bool is_number(Field field) {
    switch (field) {
    case Field::uid:
    case Field::audit_session:
    case Field::latency_us:
    case Field::processes:
    case Field::object_pid:
    case Field::started:
    case Field::ended:
        return true;
    default:
        return false;
    }
}

ordered_json value_of(Field field, const std::string& text) {
    if (field == Field::reasons) {
        auto words = ordered_json::array();
        for (std::size_t at = 0; at <= text.size();) {
            const auto end = std::min(text.find(',', at), text.size());
            words.push_back(one_line(std::string_view(text).substr(at, end - at)));
            at = end + 1;
        }
        return words;
    }
    std::uint64_t number = 0;
    if (is_number(field) && std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc())
        return number;
    return one_line(text);
}

} // namespace

bool is_session_event(Event event) {
    switch (event) {
    case Event::session_opened:
    case Event::session_approved:
    case Event::session_denied:
    case Event::session_killed:
    case Event::session_frozen:
    case Event::session_thawed:
    case Event::session_ended:
    case Event::break_glass_used:
        return true;
    default:
        return false;
    }
}

std::string session_event_claims(const Record& record, const Context& context, const EventStamp& stamp) {
    ordered_json claims = {{"iss", "host:" + stamp.host},
                           {"iat", stamp.at},
                           {"jti", stamp.id},
                           {"seq", stamp.seq},
                           {"event", info(record.event).word}};
    for (const auto& [field, value] : record.fields)
        claims.emplace(claim_of(field), value_of(field, value)); // never in the place of one of the above
    for (const auto& [field, value] : fields_of_context(record, context))
        if (field != Field::host) claims.emplace(claim_of(field), one_line(value)); // `iss` says it
    return claims.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

} // namespace escort
