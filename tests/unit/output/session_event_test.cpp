#include "output/session_event.h"

#include "output/records.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace escort;
using nlohmann::json;

namespace {

const EventStamp kStamp{"i-0abc", 1767225600, "7f3a2c1e-e812", 812};

SessionRecord approved_session() {
    SessionRecord record;
    record.id = "7f3a2c1e-42";
    record.account = "azsupport";
    record.uid = 1001;
    record.entry = "sshd";
    record.verdict = "approved";
    record.reason = "approved";
    record.reasons = {"approved"};
    record.approval = "apr-19f3";
    record.issuer = "https://broker.example.gov";
    record.engineer = "eng-42";
    record.approvers = {"iso-3", "iso-4"};
    record.pid = 77;
    record.started = 1767225590;
    return record;
}

json claims(const Record& record, const Context& context = {}) {
    return json::parse(session_event_claims(record, context, kStamp));
}

} // namespace

TEST_CASE("session event: the journal's fields are the claims") {
    const json event = claims(session_approved(approved_session()), {"i-0abc", "kill", "enforce", "ab12"});
    CHECK(event == json{{"iss", "host:i-0abc"},
                        {"iat", 1767225600},
                        {"jti", "7f3a2c1e-e812"},
                        {"seq", 812},
                        {"event", "session_approved"},
                        {"session", "7f3a2c1e-42"},
                        {"account", "azsupport"},
                        {"uid", 1001},
                        {"entry", "sshd"},
                        {"verdict", "approved"},
                        {"reason", "approved"},
                        {"reasons", {"approved"}},
                        {"approval", "apr-19f3"},
                        {"issuer", "https://broker.example.gov"},
                        {"engineer", "eng-42"},
                        {"approvers", "iso-3,iso-4"},
                        {"pid", 77},
                        {"started", 1767225590},
                        {"tier", "kill"},
                        {"mode", "enforce"},
                        {"policy_sha256", "ab12"}});
}

TEST_CASE("session event: a record's own mode is more than the agent's; several reasons are a list") {
    SessionRecord record = approved_session();
    record.mode = "observe";
    record.reasons = {"expired", "source_mismatch"};
    record.processes = 3;
    record.ended = 1767225599;
    const json event = claims(session_killed(record), {"i-0abc", "kill", "enforce", ""});
    CHECK(event["mode"] == "observe");
    CHECK(event["reasons"] == json{"expired", "source_mismatch"});
    CHECK(event["processes"] == 3);
    CHECK(event["ended"] == 1767225599);
    CHECK_FALSE(event.contains("policy_sha256"));
}

TEST_CASE("session event: hostile text stays text") {
    SessionRecord record = approved_session();
    record.source = "1.2.3.4\",\"verdict\":\"approved\n\xff";
    record.account = "\x1b[2J";
    const json event = claims(session_denied(record));
    CHECK(event["source"] == "1.2.3.4\",\"verdict\":\"approved\\x0a\\xff");
    CHECK(event["account"] == "\\x1b[2J");
}

TEST_CASE("session event: which records are") {
    for (const auto event :
         {Event::session_opened, Event::session_approved, Event::session_denied, Event::session_killed,
          Event::session_frozen, Event::session_thawed, Event::session_ended, Event::break_glass_used})
        CHECK(is_session_event(event));
    for (const auto event :
         {Event::session_exec, Event::tamper, Event::agent_degraded, Event::document_accepted})
        CHECK_FALSE(is_session_event(event));
}
