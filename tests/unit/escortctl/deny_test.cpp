// escortctl deny, undeny against a daemon's socket.
#include "fake_daemon.h"

using namespace escort;
using namespace escort::ctl;
using namespace escort::ctl::test;
using nlohmann::json;

TEST_CASE("escortctl deny, undeny: what is asked, and how the answer reads") {
    const Home home;
    json asked;
    int ended = 2;
    const auto answer = [&](const char* name) {
        return [&, name](const json& params, const control::Reply& reply) {
            asked = {{"request", name}, {"params", params}};
            reply.ok({{"kind", params["kind"]}, {"id", params["id"]}, {"ended", ended}});
        };
    };
    const FakeDaemon daemon(home, {{"deny", answer("deny")}, {"undeny", answer("undeny")}});
    const Ran shut = run_ctl(home, {"deny", "engineer", "eng-42"});
    CHECK(shut.code == 0);
    CHECK(shut.out == "Denied on this host: engineer eng-42; 2 sessions ended\n");
    CHECK(asked == json{{"request", "deny"}, {"params", {{"kind", "engineer"}, {"id", "eng-42"}}}});
    ended = 0;
    CHECK(run_ctl(home, {"deny", "account", "az\nsupport"}).out.find('\n') ==
          run_ctl(home, {"deny", "account", "az\nsupport"}).out.size() - 1);
    const Ran opened = run_ctl(home, {"undeny", "approval", "apr-1"});
    CHECK(opened.out == "No longer denied: approval apr-1\n");
    CHECK(asked["request"] == "undeny");
    CHECK(json::parse(run_ctl(home, {"deny", "account", "azsupport", "--json"}).out)["ended"] == 0);

    asked = nullptr;
    CHECK(run_ctl(home, {"deny", "group", "x"}).code == 2);
    CHECK(run_ctl(home, {"deny", "account"}).code == 2);
    CHECK(run_ctl(home, {"undeny"}).code == 2);
    CHECK(asked.is_null());
}

TEST_CASE("escortctl deny: the daemon's refusal is the command's") {
    const Home home;
    const FakeDaemon daemon(home, {{"deny", [](const json&, const control::Reply& reply) {
                                        reply.fail(Exit::not_so, {"eng-42", "is denied already"});
                                    }}});
    const Ran again = run_ctl(home, {"deny", "engineer", "eng-42"});
    CHECK(again.code == 1);
    CHECK(again.err == "escortctl: eng-42: is denied already\n");
}
