#include "fixture.h"

#include <chrono>
#include <doctest/doctest.h>
#include <fstream>
#include <future>

using namespace escort;
using namespace escort::control;
using escort::control::test::Fixture;
using nlohmann::json;
using std::chrono::milliseconds;

namespace {

// A call from another thread, while this one turns the daemon's loop.
Outcome<json> call(Fixture& f, const std::string& name, milliseconds time = milliseconds(60'000)) {
    auto answer = std::async(std::launch::async, [&]() -> Outcome<json> {
        auto client = Client::connect(f.path());
        if (!client) return tl::unexpected<Failure>(client.error());
        return client->call(name, json::object(), time);
    });
    while (answer.wait_for(milliseconds(0)) != std::future_status::ready)
        (void)sd_event_run(f.loop, 10'000);
    return answer.get();
}

} // namespace

TEST_CASE("client: an answer of many megabytes") {
    Fixture f({{"large", Permission::read,
                [](const json&, const Peer&, const Reply& reply) { reply.ok(std::string(6 << 20, 'b')); }}},
              [](ServerSettings& s) { s.answer_time = std::chrono::minutes(2); }); // a slow machine's client
    const auto answer = call(f, "large");
    CAPTURE((answer ? "" : answer.error().error.text()));
    REQUIRE(answer);
    CHECK(answer->get<std::string>().size() == std::size_t{6} << 20);
}

TEST_CASE("client: nobody there, no answer in time, a daemon that goes away") {
    CHECK(Client::connect("/nonexistent/control.sock").error().code == Exit::unreachable);
    std::vector<Reply> kept;
    Fixture f(
        {{"never", Permission::read, [&](const json&, const Peer&, Reply reply) { kept.push_back(reply); }},
         {"crash", Permission::read, [&](const json&, const Peer&, Reply reply) {
              kept.push_back(reply);
              (void)sd_event_exit(f.loop, 0);
          }}});
    const auto late = call(f, "never", milliseconds(100));
    REQUIRE_FALSE(late);
    CHECK(late.error().code == Exit::unreachable);
    CHECK(late.error().error.why.find("no answer in time") != std::string::npos);

    auto gone = std::async(std::launch::async, [&] {
        auto client = Client::connect(f.path());
        return client->call("crash", json::object(), milliseconds(60'000));
    });
    CHECK(sd_event_loop(f.loop) == 0);
    f.server.reset();
    const auto answer = gone.get();
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == Exit::unreachable);
    CHECK(answer.error().error.why.find("closed the connection") != std::string::npos);
}

TEST_CASE("client: a file that is no socket, a path too long") {
    const escort::control::test::Folder folder;
    std::ofstream(folder.file("file")) << "x";
    CHECK(Client::connect(folder.file("file")).error().code == Exit::unreachable);
    CHECK(Client::connect(std::string(200, 'x')).error().code == Exit::usage);
}
