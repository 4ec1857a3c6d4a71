// What the journal says of a program that a session started.
#include "output/records.h"
#include "output/value_of.h"

#include <doctest/doctest.h>

using namespace escort;

namespace {

SessionRecord live_session() {
    SessionRecord s;
    s.id = "7f3a2c1e-42";
    s.account = "azsupport";
    s.uid = 1001;
    s.approval = "apr-1";
    s.engineer = "eng-42";
    s.pid = 7; // its first process, not the one that this is about
    return s;
}

ProgramRecord program() {
    ProgramRecord p;
    p.path = "/usr/bin/ls";
    p.cwd = "/home/az";
    p.uid = p.euid = 1001;
    p.pid = 812;
    p.parent = 811;
    p.at = 1767225600123456;
    return p;
}

} // namespace

TEST_CASE("session_exec: whose, what, as whom, where") {
    const Record record = session_exec(live_session(), program());
    CHECK(record.event == Event::session_exec);
    CHECK(record.priority == Priority::info);
    CHECK(record.message == "Session 7f3a2c1e-42, azsupport (engineer eng-42) ran /usr/bin/ls; as uid 1001.");
    CHECK(value_of(record, Field::session) == "7f3a2c1e-42");
    CHECK(value_of(record, Field::account) == "azsupport");
    CHECK(value_of(record, Field::approval) == "apr-1");
    CHECK(value_of(record, Field::engineer) == "eng-42");
    CHECK(value_of(record, Field::exe) == "/usr/bin/ls");
    CHECK(value_of(record, Field::cwd) == "/home/az");
    CHECK(value_of(record, Field::uid) == "1001");
    CHECK(value_of(record, Field::euid) == "1001");
    CHECK(value_of(record, Field::object_pid) == "812");
    CHECK(value_of(record, Field::parent) == "811");
    CHECK(value_of(record, Field::at) == "1767225600123456");
    for (const Field absent : {Field::rose, Field::arguments, Field::script})
        CHECK_FALSE(record.fields.contains(absent));
}

TEST_CASE("session_exec: a rise is marked, and its uid is the process's own") {
    ProgramRecord p = program();
    p.path = "/usr/bin/sudo";
    p.euid = 0;
    p.rose = true;
    const Record record = session_exec(live_session(), p);
    CHECK(record.priority == Priority::notice);
    CHECK(record.message.ends_with("ran /usr/bin/sudo; as uid 0 (real uid 1001), root by this."));
    CHECK(value_of(record, Field::rose) == "1");
    CHECK(value_of(record, Field::uid) == "1001");
    CHECK(value_of(record, Field::euid) == "0");
}

TEST_CASE("session_exec: arguments as a shell would read them, a script's name, what was cut") {
    ProgramRecord p = program();
    p.script = "./job";
    p.arguments = {"sh", "./job", "", "two words", "it's", "$(x)"};
    p.arguments_cut = true;
    p.path_cut = p.cwd_cut = p.script_cut = true;
    const Record record = session_exec(live_session(), p);
    CHECK(value_of(record, Field::arguments) == "sh ./job '' 'two words' 'it'\\''s' '$(x)' ...");
    CHECK(value_of(record, Field::exe) == ".../usr/bin/ls");
    CHECK(value_of(record, Field::cwd) == ".../home/az");
    CHECK(value_of(record, Field::script) == "./job...");
    p.arguments.clear();
    CHECK(value_of(session_exec(live_session(), p), Field::arguments) == "...");
}

TEST_CASE(
    "session_exec: a memfd; a session of which only the id is known; a hostile name stays in its line") {
    ProgramRecord p = program();
    p.path = "memfd:x\nESCORT_SESSION=other\n\x1b[2J";
    p.nameless = true;
    SessionRecord unknown;
    unknown.id = "7f3a2c1e-42";
    const Record record = session_exec(unknown, p);
    CHECK(record.priority == Priority::notice);
    CHECK(record.message.ends_with("no name leads to that file any more."));
    const std::string datagram = encode(record, {});
    CHECK(datagram.find("ESCORT_EXE=memfd:x\\x0aESCORT_SESSION=other\\x0a\\x1b[2J\n") != std::string::npos);
    CHECK(datagram.find("\nESCORT_SESSION=other") == std::string::npos);
    CHECK_FALSE(record.fields.contains(Field::account));
    p.path.clear();
    CHECK(session_exec(unknown, p).message.starts_with("Session 7f3a2c1e-42 ran a program;"));
}

TEST_CASE("events_dropped: of one session, with its name") {
    const Record record = execs_dropped(live_session(), 31);
    CHECK(record.event == Event::events_dropped);
    CHECK(record.message == "Session 7f3a2c1e-42, azsupport (engineer eng-42) started 31 more programs than "
                            "are recorded a minute (record.exec_per_minute of its policy).");
    CHECK(value_of(record, Field::session) == "7f3a2c1e-42");
    CHECK(value_of(record, Field::dropped) == "31");
}
