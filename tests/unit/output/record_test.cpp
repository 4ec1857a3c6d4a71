#include "core/reason.h"
#include "output/one_line.h"
#include "output/record.h"
#include "output/records.h"
#include "output/session_fields.h"
#include "output/value_of.h"

#include <doctest/doctest.h>
#include <set>
#include <string>

using namespace escort;

namespace {

SessionRecord denied_session() {
    SessionRecord s;
    s.id = "7f3a2c1e-42";
    s.account = "azsupport";
    s.uid = 1001;
    s.entry = "sshd";
    s.source = "203.0.113.7";
    s.verdict = "denied";
    s.reason = "no_approval";
    s.reasons = {"no_approval", "entry_denied"};
    s.action = "kill";
    s.pid = 4711;
    s.latency_us = 120;
    s.processes = 1;
    s.started = 1767225600;
    return s;
}

} // namespace

TEST_CASE("events: words and message ids are all different") {
    std::set<std::string_view> words;
    std::set<std::string_view> ids;
    for (int i = 0; i < kEventCount; ++i) {
        const EventInfo& kind = info(static_cast<Event>(i));
        words.insert(kind.word);
        ids.insert(kind.message_id);
        CHECK(kind.message_id.size() == 32);
        CHECK(kind.message_id.find_first_not_of("0123456789abcdef") == std::string_view::npos);
    }
    CHECK(words.size() == kEventCount);
    CHECK(ids.size() == kEventCount);
}

TEST_CASE("fields: every one has a name of its own") {
    std::set<std::string_view> names;
    for (int i = 0; i < kFieldCount; ++i)
        names.insert(name(static_cast<Field>(i)));
    CHECK(names.size() == kFieldCount);
    CHECK_FALSE(names.contains(""));
    CHECK(name(Field::object_pid) == "OBJECT_PID");
    CHECK(name(Field::host) == "ESCORT_HOST");
}

TEST_CASE("encode: the context's values, but a record's own mode wins") {
    Record record = session_denied(denied_session());
    record.set(Field::mode, "observe");
    const std::string datagram = encode(record, {"host-1", "kill", "enforce", "abc"});
    CHECK(datagram ==
          "MESSAGE=Session 7f3a2c1e-42 denied: azsupport by sshd from 203.0.113.7: no_approval (all: "
          "no_approval,entry_denied). " +
              std::string(advice(Reason::no_approval)) +
              "\n"
              "MESSAGE_ID=e63ab5e96e604f54bcbcc89d50f48a4e\nPRIORITY=4\nSYSLOG_IDENTIFIER=escortd\n"
              "ESCORT_EVENT=session_denied\nESCORT_HOST=host-1\nESCORT_TIER=kill\nESCORT_POLICY_SHA256=abc\n"
              "ESCORT_SESSION=7f3a2c1e-42\nESCORT_ACCOUNT=azsupport\nESCORT_UID=1001\nESCORT_ENTRY=sshd\n"
              "ESCORT_SOURCE=203.0.113.7\nESCORT_VERDICT=denied\nESCORT_REASON=no_approval\n"
              "ESCORT_REASONS=no_approval,entry_denied\nESCORT_ACTION=kill\nESCORT_LATENCY_US=120\n"
              "ESCORT_PROCESSES=1\nOBJECT_PID=4711\nESCORT_STARTED=1767225600\nESCORT_MODE=observe\n");
}

TEST_CASE("encode: what people name things can't inject a field or break a line") {
    SessionRecord hostile = denied_session();
    hostile.account = "eve\nESCORT_VERDICT=approved\n";
    hostile.tty = std::string("pts\0/1\x1b[2J", 10);
    hostile.ticket = "INC\xc2\x85\xe2\x80\xa8\xff";
    const std::string datagram = encode(session_denied(hostile), {"h\nPRIORITY=0", "kill", "enforce", ""});
    CHECK(datagram.find("\nESCORT_VERDICT=approved") == std::string::npos);
    CHECK(datagram.find("\nPRIORITY=0") == std::string::npos);
    CHECK(datagram.find("\nESCORT_ACCOUNT=eve\\x0aESCORT_VERDICT=approved\\x0a\n") != std::string::npos);
    CHECK(datagram.find("\nESCORT_TTY=pts\\x00/1\\x1b[2J\n") != std::string::npos);
    CHECK(datagram.find("\nESCORT_TICKET=INC\\xc2\\x85\\xe2\\x80\\xa8\\xff\n") != std::string::npos);
    CHECK(datagram.find('\0') == std::string::npos);
    CHECK(datagram.find('\x1b') == std::string::npos);
}

TEST_CASE("one_line: ordinary text stays, a huge one is cut") {
    CHECK(one_line("Jörg's \"ticket\" \\ 1") == "Jörg's \"ticket\" \\ 1");
    CHECK(one_line(std::string(kLineBytes + 5, 'a')).size() == kLineBytes + 3);
    CHECK(one_line(std::string(kLineBytes, 'a')).size() == kLineBytes);
    CHECK(one_line("") == "");
}

TEST_CASE("records: sessions") {
    SessionRecord s = denied_session();
    CHECK(session_opened(s).message == "Session 7f3a2c1e-42 opened: azsupport by sshd from 203.0.113.7.");
    s.verdict = "observed";
    CHECK(session_denied(s).message.find("would have been denied (the policy only observes)") !=
          std::string::npos);
    s.verdict = "approved";
    s.reason = "approved";
    s.approval = "apr-19f3";
    s.issuer = "https://broker.example.gov";
    s.engineer = "eng-42";
    s.ticket = "INC0012345";
    s.deadline = 1767232800;
    const Record approved = session_approved(s);
    CHECK(approved.message == "Session 7f3a2c1e-42 approved: azsupport by sshd from 203.0.113.7 (engineer "
                              "eng-42), under approval apr-19f3 of https://broker.example.gov, ticket "
                              "INC0012345, until 2026-01-01T02:00:00Z.");
    CHECK(approved.priority == Priority::notice);
    CHECK(value_of(approved, Field::ticket) == "INC0012345");
    s.reason = "break_glass"; // its alert is break_glass_used, once
    CHECK(session_approved(s).priority == Priority::notice);

    s.reason = "operator";
    s.operated_by = "uid 0";
    s.note = "drill";
    s.processes = 3;
    const Record killed = session_killed(s);
    CHECK(killed.message ==
          "Session 7f3a2c1e-42 killed: azsupport by sshd from 203.0.113.7 (engineer eng-42): "
          "operator; 3 processes dead within 120 us; by uid 0: drill.");
    CHECK(value_of(killed, Field::operated_by) == "uid 0");
    s.ended = s.started + 90;
    CHECK(session_ended(s).message.ends_with(", after 90 s."));
    CHECK(value_of(session_ended(s), Field::ended) == "1767225690");
}

TEST_CASE("records: frozen, thawed, an emergency's approval, an escort") {
    SessionRecord s = denied_session();
    s.verdict = "approved";
    s.reason = "escort_absent";
    s.reasons = {"escort_absent"};
    s.action = "freeze";
    s.processes = 200;
    s.latency_us = 21'000;
    s.logind_session = "5";
    s.proven_key = "SHA256:abc";
    const Record frozen = session_frozen(s);
    CHECK(frozen.message ==
          "Session 7f3a2c1e-42 frozen: azsupport by sshd from 203.0.113.7: escort_absent; 200 "
          "processes stand still within 21000 us.");
    CHECK(frozen.event == Event::session_frozen);
    CHECK(frozen.priority == Priority::warning);
    CHECK(value_of(frozen, Field::processes) == "200");
    CHECK(value_of(frozen, Field::latency_us) == "21000");
    CHECK(value_of(frozen, Field::source) == "203.0.113.7");
    CHECK(value_of(frozen, Field::proven_key) == "SHA256:abc");
    CHECK(value_of(frozen, Field::logind_session) == "5");
    s.processes = 1;
    s.operated_by = "uid 0";
    s.note = "drill";
    CHECK(session_frozen(s).message.ends_with("; 1 process stands still within 21000 us; by uid 0: drill."));
    CHECK(session_thawed(s).message ==
          "Session 7f3a2c1e-42 goes on: azsupport by sshd from 203.0.113.7; by uid 0: drill.");
    CHECK(value_of(session_thawed(s), Field::operated_by) == "uid 0");
    CHECK(session_thawed({}).message == "Session  goes on: an account without a name.");

    s.approval = "bg-1";
    s.issuer = "iss";
    s.authority = "CISO";
    s.emergency = "storage down";
    const Record alarm = break_glass_used(s);
    CHECK(alarm.priority == Priority::alert);
    CHECK(alarm.message ==
          "Emergency approval bg-1 of iss is used by session 7f3a2c1e-42: azsupport by sshd from "
          "203.0.113.7; authority CISO: storage down. Ask the authority whether there is such an "
          "emergency.");
    CHECK(value_of(alarm, Field::approval) == "bg-1");

    PresenceRecord presence;
    presence.approval = "apr-1";
    presence.issuer = "iss";
    presence.escort = "esc-9";
    presence.sessions = 1;
    CHECK(presence_changed(presence).message ==
          "Escort esc-9 of approval apr-1 is absent; 1 live session under it.");
    CHECK(value_of(presence_changed(presence), Field::reason) == "escort_absent");
    CHECK(value_of(presence_changed(presence), Field::escort) == "esc-9");
    presence.present = true;
    presence.until = 1767226500;
    CHECK(presence_changed(presence).message ==
          "Escort esc-9 of approval apr-1 is present until 2026-01-01T00:15:00Z; 1 live session under it.");
    CHECK(value_of(presence_changed(presence), Field::reason).empty());
}

TEST_CASE("records: an unknown value leaves its field out") {
    const Record record = session_opened({});
    CHECK(record.fields.empty());
    CHECK(record.message == "Session  opened: an account without a name.");
}

TEST_CASE("records: documents, approvals, policies, keys") {
    DocumentRecord document;
    document.file = "a.jws";
    document.issuer = "iss";
    document.audience = "host:h";
    document.seq = 812;
    document.approvals = 1;
    document.expires = 1767226500;
    CHECK(document_accepted(document).message ==
          "Approval list 812 of iss for host:h is in force until 2026-01-01T00:15:00Z: 1 approval.");
    CHECK(value_of(document_accepted(document), Field::seq) == "812");
    document.reason = "rollback";
    document.text = "seq 811 is lower than 812";
    CHECK(document_refused(document).priority == Priority::warning);
    document.alert = true;
    const Record refused = document_refused(document);
    CHECK(refused.priority == Priority::alert);
    CHECK(refused.message ==
          "Document a.jws of iss was refused: seq 811 is lower than 812. What was in force "
          "stays in force. Find out who sent it: no healthy broker does this.");
    CHECK(value_of(refused, Field::reason) == "rollback");

    ApprovalRecord approval;
    approval.jti = "apr-1";
    approval.account = "azsupport";
    approval.sessions = 2;
    CHECK(approval_revoked(approval).message ==
          "Approval apr-1 for azsupport was revoked; 2 sessions under it must end.");
    approval.absent = true;
    CHECK(approval_revoked(approval).message.find("left out of its issuer's next list") != std::string::npos);

    PolicyRecord policy;
    policy.sha256 = "0123456789abcdef";
    policy.policies = 1;
    policy.principals = 2;
    CHECK(policy_loaded(policy).message == "Policy 0123456789ab is in force: 1 policy, 2 accounts governed.");
    policy.errors = {"a.yaml:3:1: error: x", "a.yaml:4:1: error: y"};
    policy.last_good_kept = true;
    const Record bad = policy_refused(policy);
    CHECK(bad.message.starts_with(
        "The policies were refused: a.yaml:3:1: error: x (and 1 more). The last good"));
    CHECK(bad.priority == Priority::error);

    CHECK(value_of(trust_changed({"A"}, {"B"}), Field::key) == "A,B");
}

TEST_CASE("records: the agent and its operators") {
    const Record act = operator_act("uid 0", "kill", "7f3a2c1e-42", "drill");
    CHECK(act.message == "uid 0 ran 'kill 7f3a2c1e-42': drill.");
    CHECK(value_of(act, Field::session) == "7f3a2c1e-42");
    CHECK(value_of(operator_act("uid 0", "reload", "", ""), Field::session).empty());
    CHECK(agent_started("0.1.0", "fentry").event == Event::agent_started);
    CHECK(agent_stopped("SIGTERM").priority == Priority::warning);
    CHECK(agent_degraded("kernel", "no BTF", "Boot another.").message ==
          "escortd is degraded: kernel: no BTF. Boot another.");
    CHECK(tamper("clock", "stepped by 90 s", "").priority == Priority::alert);
    CHECK(events_dropped(5, DropPlace::kernel).message.starts_with("5 events of the kernel programs"));
    CHECK(events_dropped(6, DropPlace::activity).message.starts_with("6 programs that sessions started"));
    CHECK(value_of(events_dropped(6, DropPlace::activity), Field::dropped) == "6");
}
