#include "feed/report.h"

#include "approvals/strict_json.h"
#include "feed/outbox.h"
#include "policy/utf8.h"

#include <algorithm>
#include <array>

namespace escort {

namespace {

using nlohmann::json;

constexpr std::size_t kLongestText = 512;

constexpr std::array kStates{SourceState::starting, SourceState::working, SourceState::failing};

Result<std::uint64_t> number(const json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_number_unsigned()) return fail(key, "is no number");
    return found->get<std::uint64_t>();
}

Result<std::string> text(const json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_string()) return fail(key, "is no string");
    return found->get<std::string>();
}

Result<SourceReport> parse_source(const json& object) {
    if (!object.is_object()) return fail("sources", "an item is no object");
    SourceReport source;
    const auto name = text(object, "name");
    const auto state = text(object, "state");
    const auto error = text(object, "last_error");
    if (!name) return tl::unexpected(name.error());
    if (!state) return tl::unexpected(state.error());
    if (!error) return tl::unexpected(error.error());
    source.name = *name;
    source.last_error = *error;
    const auto* known = std::find_if(kStates.begin(), kStates.end(),
                                     [&](SourceState each) { return to_string(each) == *state; });
    if (known == kStates.end()) return fail("state", "is none of starting, working, failing");
    source.state = *known;
    for (auto [key, into] : {std::pair{"last_success_ns", &source.last_success_ns},
                             {"last_list_ns", &source.last_list_ns},
                             {"next_try_ns", &source.next_try_ns},
                             {"failing_since_ns", &source.failing_since_ns},
                             {"documents", &source.documents}}) {
        const auto value = number(object, key);
        if (!value) return tl::unexpected(value.error());
        *into = *value;
    }
    return source;
}

Result<EventsReport> parse_events(const json& object) {
    if (!object.is_object()) return fail("events", "is no object");
    EventsReport report;
    const auto delivered = object.find("delivered");
    if (delivered == object.end() || !delivered->is_array()) return fail("delivered", "is no list");
    for (const auto& file : *delivered) {
        if (!file.is_string()) return fail("delivered", "an item is no string");
        report.delivered.push_back(file.get<std::string>());
    }
    const auto sent = number(object, "sent");
    const auto error = text(object, "last_error");
    if (!sent) return tl::unexpected(sent.error());
    if (!error) return tl::unexpected(error.error());
    report.sent = *sent;
    report.last_error = *error;
    return report;
}

} // namespace

const char* to_string(SourceState state) {
    switch (state) {
    case SourceState::starting:
        return "starting";
    case SourceState::working:
        return "working";
    case SourceState::failing:
        return "failing";
    }
    return "";
}

std::string report_text(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size() && out.size() < kLongestText;) {
        const auto point = code_point_at(text, at);
        if (!point || is_control(point->value))
            out += '?';
        else
            out += text.substr(at, point->bytes);
        at += point ? point->bytes : 1;
    }
    return out;
}

std::string report_path(const std::string& run) {
    return run + "/courier/report.json";
}

std::string to_json(const CourierReport& report) {
    json sources = json::array();
    for (const auto& source : report.sources)
        sources.push_back({{"name", source.name},
                           {"state", to_string(source.state)},
                           {"last_success_ns", source.last_success_ns},
                           {"last_list_ns", source.last_list_ns},
                           {"next_try_ns", source.next_try_ns},
                           {"failing_since_ns", source.failing_since_ns},
                           {"documents", source.documents},
                           {"last_error", source.last_error}});
    const json events = {{"delivered", report.events.delivered},
                         {"sent", report.events.sent},
                         {"last_error", report.events.last_error}};
    const json whole = {
        {"started_ns", report.started_ns}, {"events", events}, {"sources", std::move(sources)}};
    return whole.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<CourierReport> parse_report(std::string_view bytes) {
    const auto parsed = parse_strict(bytes, {.list_entries = std::max(kMostSources, kMostDelivered)});
    if (!parsed) return tl::unexpected(parsed.error());
    CourierReport report;
    const auto started = number(*parsed, "started_ns");
    if (!started) return tl::unexpected(started.error());
    report.started_ns = *started;
    if (const auto events = parsed->find("events"); events != parsed->end()) {
        auto read = parse_events(*events);
        if (!read) return tl::unexpected(read.error());
        report.events = std::move(*read);
    }
    const auto sources = parsed->find("sources");
    if (sources == parsed->end() || !sources->is_array()) return fail("sources", "is no list");
    for (const auto& item : *sources) {
        auto source = parse_source(item);
        if (!source) return tl::unexpected(source.error());
        report.sources.push_back(std::move(*source));
    }
    return report;
}

std::uint64_t silent_since(const CourierReport* report, std::uint64_t since) {
    if (report == nullptr || report->sources.empty()) return since;
    std::uint64_t latest = 0;
    for (const auto& source : report->sources) {
        if (source.state == SourceState::working) return 0;
        latest =
            std::max(latest, source.failing_since_ns == 0 ? report->started_ns : source.failing_since_ns);
    }
    return std::max(latest, std::uint64_t{1});
}

} // namespace escort
