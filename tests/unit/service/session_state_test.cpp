// What outlives a restart of the daemon.
#include "service/session_state.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>

using namespace escort;

TEST_CASE("session state: saved and loaded, of this boot alone, never of a newer format") {
    char folder[] = "/tmp/escort-state-XXXXXX";
    REQUIRE(mkdtemp(folder) != nullptr);
    const std::string path = std::string(folder) + "/sessions.json";

    CHECK(load_session_state(path, 7)->next == 1);
    REQUIRE(save_session_state(path, {7, 1025, {{"00000007-3", {"https://b", "apr-1"}}}}));
    const auto same = load_session_state(path, 7);
    REQUIRE(same);
    CHECK(same->next == 1025);
    CHECK(same->approvals.at("00000007-3").issuer == "https://b");
    CHECK(same->approvals.at("00000007-3").jti == "apr-1");
    CHECK(load_session_state(path, 8)->next == 1); // another boot: its ids can't meet these
    CHECK(load_session_state(path, 8)->approvals.empty());

    std::ofstream(path) << R"({"format":2})";
    CHECK(load_session_state(path, 7).error().why == "is of format 2, which this version doesn't know");
    std::ofstream(path) << "{";
    CHECK_FALSE(load_session_state(path, 7));
    std::ofstream(path) << R"({"format":1,"boot":7,"next":"x","approvals":{}})";
    CHECK_FALSE(load_session_state(path, 7));
    std::filesystem::remove_all(folder);
}
