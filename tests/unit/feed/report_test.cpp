#include "feed/report.h"

#include "feed/outbox.h"

#include <doctest/doctest.h>

using namespace escort;

namespace {

SourceReport source(SourceState state, std::uint64_t failing_since_ns) {
    SourceReport report;
    report.name = "nats n:4222";
    report.state = state;
    report.last_success_ns = 7;
    report.last_list_ns = 6;
    report.next_try_ns = 9;
    report.failing_since_ns = failing_since_ns;
    report.documents = 3;
    report.last_error = "no \"server\"";
    return report;
}

} // namespace

TEST_CASE("report: what is written is read") {
    CourierReport report;
    report.started_ns = 5;
    report.sources = {source(SourceState::working, 0), source(SourceState::failing, 8), SourceReport{}};
    report.events = {{"0000000000000812-7f3a2c1e.session_ended.jws", "b"}, 4, "no stream"};
    const auto parsed = parse_report(to_json(report));
    REQUIRE(parsed);
    CHECK(*parsed == report);
}

TEST_CASE("report: of a courier that was taken over nothing but facts is believed") {
    const std::string good = to_json({1, {source(SourceState::working, 0)}});
    CHECK(parse_report(good));
    CHECK(parse_report("{\"started_ns\":1,\"sources\":[]}")); // of a courier that knows nothing of events
    for (const std::string bad : {"", "[]", "{}", "{\"started_ns\":1}", "{\"started_ns\":-1,\"sources\":[]}",
                                  "{\"started_ns\":1,\"sources\":[1]}", "{\"started_ns\":1,\"sources\":{}}"})
        CHECK_FALSE(parse_report(bad));
    for (const auto& [from, to] : {std::pair<std::string, std::string>{"\"working\"", "\"fine\""},
                                   {"\"sent\":0", "\"sent\":-1"},
                                   {"\"delivered\":[]", "\"delivered\":null"},
                                   {"\"delivered\":[]", "\"delivered\":[1]"},
                                   {"\"working\"", "1"},
                                   {"\"last_success_ns\":7", "\"last_success_ns\":\"7\""},
                                   {"\"last_success_ns\":7", "\"last_success_ns\":-7"},
                                   {"no \\\"server\\\"", "line\\nline"}}) {
        std::string bad = good;
        REQUIRE(bad.find(from) != std::string::npos);
        bad.replace(bad.find(from), from.size(), to);
        CAPTURE(bad);
        CHECK_FALSE(parse_report(bad));
    }
}

TEST_CASE("report: one source that works is enough; else since the last of them failed") {
    CHECK(silent_since(nullptr, 40) == 40);
    CourierReport report;
    report.started_ns = 50;
    CHECK(silent_since(&report, 40) == 40);
    report.sources = {source(SourceState::failing, 60), source(SourceState::failing, 80)};
    CHECK(silent_since(&report, 40) == 80);
    report.sources.push_back(source(SourceState::starting, 0));
    CHECK(silent_since(&report, 40) == 80);
    report.sources.push_back(source(SourceState::working, 0));
    CHECK(silent_since(&report, 40) == 0);
}

TEST_CASE("report: whatever a server says can stand in one") {
    CHECK(report_text("no route \xc3\xbc") == "no route \xc3\xbc");
    CHECK(report_text("a\nb\x01\xff") == "a?b??");
    CHECK(report_text(std::string(600, 'x')).size() == 512);
    CourierReport report;
    report.events.last_error = report_text("\xff\x1b[2J");
    CHECK(parse_report(to_json(report)));
}

TEST_CASE("report: as many delivered events as there may be can be read") {
    CourierReport report;
    report.events.delivered.assign(kMostDelivered, std::string(60, 'x'));
    CHECK(to_json(report).size() < kReportLimit);
    CHECK(parse_report(to_json(report)));
}
