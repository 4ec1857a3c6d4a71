#include "fixture.h"

#include <chrono>
#include <doctest/doctest.h>
#include <future>
#include <grp.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>

using namespace escort;
using namespace escort::control;
using escort::control::test::Fixture;
using escort::control::test::Raw;
using nlohmann::json;
using std::chrono::milliseconds;

namespace {

Request echo(Permission permission = Permission::read) {
    return {"echo", permission, [](const json& params, const Peer&, Reply reply) { reply.ok(params); }};
}

std::string call(const std::string& name, const json& params = json::object()) {
    return encode_call({name, params});
}

// The exit code of `body` in a child that is uid 65534 with `groups` as its supplementary ones.
int as_nobody(const std::vector<gid_t>& groups, const std::function<int()>& body) {
    const pid_t child = ::fork();
    if (child == 0) {
        if (::setgroups(groups.size(), groups.data()) != 0 || ::setresgid(65534, 65534, 65534) != 0 ||
            ::setresuid(65534, 65534, 65534) != 0)
            ::_exit(100);
        ::_exit(body());
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

} // namespace

TEST_CASE("server: one request after the other on one connection, the unlisted refused") {
    Fixture f({echo()});
    Raw raw(f.path());
    const auto answered = [&](const std::string& line) {
        REQUIRE(raw.send(line) == line.size());
        f.turn();
        return raw.received();
    };
    CHECK(answered(call("echo", {{"n", 1}})) == encode_result({{"n", 1}}));
    CHECK(answered(call("nothing")) == encode_failure({Exit::usage, {"request", "is not known: nothing"}}));
    CHECK(answered("junk\n").find("is not a JSON object") != std::string::npos);
    CHECK(answered(call("echo", {{"n", 2}})) == encode_result({{"n", 2}}));
    CHECK_FALSE(raw.closed);
}

TEST_CASE("server: thousands of requests at once are no way to occupy the loop") {
    Fixture f({echo()});
    Raw raw(f.path());
    REQUIRE(raw.send(call("echo") + call("echo")) > 0);
    f.turn();
    CHECK(raw.received() ==
          encode_failure({Exit::usage, {"request", "came before the one before it was answered"}}));
    CHECK(raw.closed);
}

TEST_CASE("server: who keeps the loop busy without end, with documents say, doesn't keep operators out") {
    Fixture f({echo()});
    const Fd always(::eventfd(1, EFD_CLOEXEC));
    sd_event_source* flood = nullptr;
    const auto nothing = [](sd_event_source*, int, std::uint32_t, void*) { return 0; };
    REQUIRE(sd_event_add_io(f.loop, &flood, always.get(), EPOLLIN, nothing, nullptr) >= 0);
    Raw raw(f.path());
    const std::string line = call("echo", {{"n", 1}});
    REQUIRE(raw.send(line) == line.size());
    for (int turn = 0; turn < 20; ++turn)
        (void)sd_event_run(f.loop, 0);
    CHECK(raw.received() == encode_result({{"n", 1}}));
    sd_event_source_unref(flood);
}

TEST_CASE("server: answers that come later, out of order, and after the peer has gone") {
    std::vector<Reply> waiting;
    Fixture f({{"later", Permission::read,
                [&](const json&, const Peer&, Reply reply) { waiting.push_back(reply); }}});
    Raw first(f.path());
    auto second = std::make_unique<Raw>(f.path());
    REQUIRE(first.send(call("later")) > 0);
    REQUIRE(second->send(call("later")) > 0);
    f.turn();
    REQUIRE(waiting.size() == 2);
    second.reset();
    f.turn();
    CHECK(f.server->connections() == 1);
    for (auto reply = waiting.rbegin(); reply != waiting.rend(); ++reply)
        reply->ok(7);
    f.turn();
    CHECK(first.received() == encode_result(7));
    waiting[0].ok(8); // a second answer changes nothing
    f.turn();
    CHECK(first.received().empty());

    REQUIRE(first.send(call("later")) > 0);
    f.turn();
    f.server.reset(); // replies outlive the server
    waiting.back().ok(9);
}

TEST_CASE("server: a handler that meets a parameter of another type, or forgets to answer") {
    Fixture f({{"typed", Permission::read,
                [](const json& params, const Peer&, const Reply& reply) {
                    reply.ok(params.at("id").get<std::string>());
                }},
               {"silent", Permission::read, [](const json&, const Peer&, const Reply&) {}}});
    Raw raw(f.path());
    REQUIRE(raw.send(call("typed", {{"id", 1}})) > 0);
    f.turn();
    CHECK(raw.received().find("a parameter is missing or of a wrong type") != std::string::npos);
    REQUIRE(raw.send(call("silent")) > 0);
    f.turn();
    CHECK(raw.received().find("gave no answer") != std::string::npos);
}

TEST_CASE("server: half a line is dropped after its time") {
    Fixture f({echo()}, [](ServerSettings& s) { s.request_time = milliseconds(100); });
    Raw raw(f.path());
    REQUIRE(raw.send("{\"request\":") > 0);
    REQUIRE(sd_event_run(f.loop, 1'000'000) > 0);
    CHECK(f.server->connections() == 1);
    CHECK(f.comes_down_to(0));
    CHECK(raw.received().empty());
    CHECK(raw.closed);
}

TEST_CASE("server: drops of bytes don't prolong the time") {
    Fixture f({echo()}, [](ServerSettings& s) { s.request_time = milliseconds(200); });
    Raw raw(f.path());
    const auto begin = std::chrono::steady_clock::now();
    while (!raw.closed && std::chrono::steady_clock::now() - begin < std::chrono::seconds(60)) {
        (void)raw.send("x");
        (void)sd_event_run(f.loop, 20'000);
        (void)raw.received();
    }
    CHECK(raw.closed);
}

TEST_CASE("server: a line of 1 MiB is refused at 64 KiB") {
    Fixture f({echo()});
    Raw raw(f.path());
    const std::string huge(1 << 20, 'x');
    std::size_t taken = 0;
    std::string answer;
    while (!raw.closed && taken < huge.size()) {
        taken += raw.send(std::string_view(huge).substr(taken));
        f.turn();
        answer += raw.received();
    }
    CHECK(answer.find("is longer than 65536 bytes") != std::string::npos);
    CHECK(raw.closed);
    CHECK(taken < huge.size());
    CHECK(f.server->connections() == 0);
}

TEST_CASE("server: a line of just the limit is served") {
    Fixture f({echo()});
    Raw raw(f.path());
    std::string line = call("echo", {{"x", ""}});
    line.insert(line.find("\"\""), std::string(kRequestBytes - line.size(), ' '));
    REQUIRE(line.size() == kRequestBytes);
    std::size_t at = 0;
    while (at < line.size()) {
        at += raw.send(std::string_view(line).substr(at));
        f.turn();
    }
    CHECK(raw.received() == encode_result({{"x", ""}}));
}

TEST_CASE("server: peers that never read hold a bounded amount") {
    const std::string large(600 << 10, 'a'); // more than a socket's buffer takes
    Fixture f(
        {{"large", Permission::read, [&](const json&, const Peer&, const Reply& reply) { reply.ok(large); }}},
        [](ServerSettings& s) {
            s.answer_time = milliseconds(120'000);
            s.answer_bytes = std::size_t{1} << 20;
            s.buffered = 1300 << 10;
        });
    std::vector<Raw> peers;
    for (int i = 0; i < 3; ++i) {
        peers.emplace_back(f.path());
        REQUIRE(peers.back().send(call("large")) > 0);
    }
    f.turn();
    CHECK(f.server->connections() == 3);
    CHECK(peers[2].received().find("too many answers wait") != std::string::npos); // two fit, the third not
    peers.clear();
    CHECK(f.comes_down_to(0));
}

TEST_CASE("server: a peer that never reads is cut off; an answer that is too long becomes an error") {
    Fixture f({{"large", Permission::read,
                [](const json&, const Peer&, const Reply& reply) { reply.ok(std::string(600 << 10, 'a')); }},
               {"endless", Permission::read,
                [](const json&, const Peer&, const Reply& reply) { reply.ok(std::string(1 << 20, 'a')); }}},
              [](ServerSettings& s) {
                  s.answer_time = milliseconds(100);
                  s.answer_bytes = std::size_t{1} << 20;
              });
    Raw mute(f.path());
    REQUIRE(mute.send(call("large")) > 0);
    REQUIRE(sd_event_run(f.loop, 1'000'000) > 0);
    CHECK(f.server->connections() == 1);
    CHECK(f.comes_down_to(0));

    Raw asks_too_much(f.path());
    REQUIRE(asks_too_much.send(call("endless")) > 0);
    f.turn();
    CHECK(asks_too_much.received().find("the answer is too long") != std::string::npos);
}

TEST_CASE("server: 100 connections: 32 are served, the rest are told, and the daemon goes on") {
    Fixture f({echo()});
    std::vector<Raw> peers;
    for (int i = 0; i < 100; ++i) {
        peers.emplace_back(f.path());
        f.turn();
    }
    CHECK(f.server->connections() == 32);
    int told = 0;
    for (auto& peer : peers)
        if (peer.received().find("too many connections") != std::string::npos) ++told;
    CHECK(told == 68);
    peers.erase(peers.begin(), peers.begin() + 50);
    f.turn();
    CHECK(f.server->connections() == 0);
    Raw raw(f.path());
    REQUIRE(raw.send(call("echo")) > 0);
    f.turn();
    CHECK(raw.received() == encode_result(json::object()));
}

TEST_CASE("server: the socket's mode keeps others out") {
    Fixture alone({echo()});
    Fixture grouped({echo()}, [](ServerSettings& s) { s.group = 64999; });
    struct stat info {};
    REQUIRE(::stat(alone.path().c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
    REQUIRE(::stat(grouped.path().c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0660);
    CHECK(info.st_gid == 64999);
    if (::geteuid() != 0) return; // the rest changes identity
    const auto tries = [&] {
        const auto client = Client::connect(grouped.path());
        return client ? 0 : static_cast<int>(client.error().code);
    };
    CHECK(as_nobody({}, tries) == 4);
    CHECK(as_nobody({64999}, tries) == 0);
}

TEST_CASE("server: permissions by the peer's credentials, whatever the socket's mode") {
    if (::geteuid() != 0) return; // changes identity
    Fixture f(
        {echo(),
         {"act", Permission::operate, [](const json&, const Peer&, const Reply& reply) { reply.ok(1); }}},
        [](ServerSettings& s) { s.group = 64999; });
    REQUIRE(::chmod(f.path().c_str(), 0666) == 0);
    const auto answered = [&](const std::vector<gid_t>& groups, const std::string& name) {
        auto child = std::async(std::launch::async, [&] {
            return as_nobody(groups, [&] {
                auto client = Client::connect(f.path());
                if (!client) return 50;
                const auto answer = client->call(name, json::object(), milliseconds(60'000));
                return answer ? 0 : static_cast<int>(answer.error().code);
            });
        });
        while (child.wait_for(milliseconds(0)) != std::future_status::ready)
            (void)sd_event_run(f.loop, 10'000);
        return child.get();
    };
    CHECK(answered({}, "echo") == 4);
    CHECK(answered({}, "act") == 4);
    CHECK(answered({64999}, "echo") == 0);
    CHECK(answered({64999}, "act") == 4);
    CHECK(answered({64999}, "nothing") == 2);

    // A reader has four connections, and can't keep root out with them.
    const auto hoards = [&] {
        std::vector<Raw> peers;
        for (int i = 0; i < 6; ++i)
            peers.emplace_back(f.path());
        int told = 0;
        for (int round = 0; round < 100 && told < 2; ++round) {
            std::this_thread::sleep_for(milliseconds(20));
            for (auto& peer : peers)
                if (peer.received().find("too many connections") != std::string::npos) ++told;
        }
        return told;
    };
    auto child = std::async(std::launch::async, [&] { return as_nobody({64999}, hoards); });
    while (child.wait_for(milliseconds(0)) != std::future_status::ready)
        (void)sd_event_run(f.loop, 10'000);
    CHECK(child.get() == 2);
}

TEST_CASE("server: who the peer is") {
    std::string who;
    Fixture f({{"who", Permission::read, [&](const json&, const Peer& peer, const Reply& reply) {
                    CHECK(peer.pid == ::getpid());
                    CHECK(peer.uid == ::geteuid());
                    who = peer.text();
                    reply.ok(nullptr);
                }}});
    Raw raw(f.path());
    REQUIRE(raw.send(call("who")) > 0);
    f.turn();
    CHECK(who.starts_with("uid " + std::to_string(::geteuid()) + " ("));
    CHECK(who.find("pid " + std::to_string(::getpid()) + ")") != std::string::npos);
    CHECK_FALSE(group_id("no-such-group"));
    CHECK(group_id("root") == 0);
}

TEST_CASE("server: takes over the socket of one that is gone or still there") {
    Fixture f({echo()});
    ServerSettings settings;
    settings.path = f.path();
    auto second = Server::listen(f.loop, settings, {{"new", Permission::read, {}}});
    REQUIRE(second);
    Raw raw(f.path());
    f.turn();
    CHECK((*second)->connections() == 1);
    settings.path = f.folder.file(std::string(200, 'x'));
    CHECK_FALSE(Server::listen(f.loop, settings, {}));
    settings.path = f.folder.file("none/control.sock");
    CHECK_FALSE(Server::listen(f.loop, settings, {}));
}
