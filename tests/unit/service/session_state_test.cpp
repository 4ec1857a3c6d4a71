// What outlives a restart of the daemon.
#include "service/session_state.h"

#include "temp_folder.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>

using namespace escort;

TEST_CASE("session state: saved and loaded, of this boot alone, never of a newer format") {
    const test::TempFolder folder;
    const std::string path = folder.path("sessions.json");

    CHECK(load_session_state(path, 7)->next == 1);
    KeptSession kept;
    kept.approval = ApprovalId{"https://b", "apr-1"};
    kept.unit = "agent.service";
    kept.proven = {true, "192.0.2.1", "socket", "SHA256:x", "eng-42", "sshd"};
    kept.user_manager = true;
    kept.frozen_by_hand = true;
    kept.entered = {1002, 4294967294};
    kept.also = {"vendor-two"};
    REQUIRE(save_session_state(path, {7, 1025, {{"00000007-3", kept}, {"00000007-4", {}}}}));
    const auto same = load_session_state(path, 7);
    REQUIRE(same);
    CHECK(same->next == 1025);
    CHECK(same->sessions.at("00000007-3") == kept);
    CHECK(same->sessions.at("00000007-4") == KeptSession{});
    CHECK(load_session_state(path, 8)->next == 1); // another boot: its ids can't meet these
    CHECK(load_session_state(path, 8)->sessions.empty());

    std::ofstream(path) << R"({"format":3})";
    CHECK(load_session_state(path, 7).error().why == "is of format 3, which this version doesn't know");
    std::ofstream(path) << "{";
    CHECK_FALSE(load_session_state(path, 7));
    std::ofstream(path) << R"({"format":1,"boot":7,"next":"x","approvals":{}})";
    CHECK_FALSE(load_session_state(path, 7));
    for (const std::string number : {"-1", "1.5", "1e90", "18446744073709551616"}) {
        CAPTURE(number);
        std::ofstream(path) << R"({"format":2,"boot":7,"sessions":{},"next":)" + number + "}";
        CHECK_FALSE(load_session_state(path, 7));
    }
    std::ofstream(path) << R"({"format":2,"boot":4294967303,"next":9,"sessions":{}})"; // 7 in 32 bits
    CHECK_FALSE(load_session_state(path, 7));
    // What the first version wrote.
    std::ofstream(path)
        << R"({"format":1,"boot":7,"next":9,"approvals":{"00000007-3":{"iss":"i","jti":"j"}}})";
    CHECK(load_session_state(path, 7)->sessions.at("00000007-3").approval == ApprovalId{"i", "j"});
}
