// Session ids and the table of sessions.
#include "core/session.h"

#include <doctest/doctest.h>

using namespace escort;

TEST_CASE("session: an id is the boot's first 32 bits and a number, both ways") {
    CHECK(session_name(0x7f3a2c1e0000002a) == "7f3a2c1e-42");
    CHECK(session_name(0x0000000100000000) == "00000001-0");
    CHECK(session_id("7f3a2c1e-42") == 0x7f3a2c1e0000002a);
    CHECK(session_id("ffffffff-4294967295") == UINT64_MAX);
}

TEST_CASE("session: what isn't exactly an id is none") {
    for (const char* text :
         {"", "42", "7f3a2c1e-", "7f3a2c1e-042", "7f3a2c1e-42 ", " 7f3a2c1e-42", "7F3A2C1E-42", "7f3a2c1-42",
          "7f3a2c1e_42", "7f3a2c1e--4", "7f3a2c1e-4294967296", "0x3a2c1e-42"}) {
        CAPTURE(text);
        CHECK_FALSE(session_id(text));
    }
}

TEST_CASE("session: the table keeps what lives, and the last 256 that ended") {
    SessionTable table;
    for (std::uint64_t id = 1; id <= 300; id++) {
        Session session;
        session.id = id;
        table.add(session);
    }
    for (std::uint64_t id = 1; id <= 299; id++)
        table.end(id, 77);
    table.end(299, 99); // twice: nothing
    CHECK(table.live().size() == 1);
    CHECK(table.ended().size() == 256);
    CHECK(table.find(43) == nullptr);
    REQUIRE(table.find(44) != nullptr);
    CHECK(table.find(44)->stage == Stage::ended);
    CHECK(table.find(299)->ended == 77);
    CHECK(table.find(300)->stage == Stage::live);
}

TEST_CASE("session: who uses an approval") {
    SessionTable table;
    const ApprovalId approval{"https://broker.example.gov", "apr-1"};
    for (std::uint64_t id = 1; id <= 5; id++) {
        Session session;
        session.id = id;
        session.verdict.approval = approval;
        if (id == 2) session.key_due_boot_ns = 1; // it may turn out to be another's
        if (id == 3) session.user_manager = true; // beside a session that counts
        if (id == 4) session.verdict.approval = {};
        table.add(session);
    }
    CHECK(table.in_use(0) == std::map<ApprovalId, std::uint32_t>{{approval, 2}});
    CHECK(table.in_use(1) == std::map<ApprovalId, std::uint32_t>{{approval, 1}});
}

TEST_CASE("session: user managers are found without a look at all") {
    SessionTable table;
    for (std::uint64_t id = 1; id <= 3; id++) {
        Session session;
        session.id = id;
        session.user_manager = id != 2;
        table.add(session);
    }
    CHECK(table.user_managers() == std::set<std::uint64_t>{1, 3});
    table.end(3, 77);
    CHECK(table.user_managers() == std::set<std::uint64_t>{1});
}
