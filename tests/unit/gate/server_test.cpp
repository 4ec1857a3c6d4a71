#include "fixture.h"

#include "asking.h"

#include <array>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <future>
#include <sys/stat.h>
#include <sys/wait.h>

using namespace escort;
using namespace escort::gate;
using escort::gate::test::Fixture;
using escort::gate::test::is_root;
using escort::gate::test::pidfd_of;
using escort::gate::test::Raw;
using escort::gate::test::request_of;
using std::chrono::milliseconds;

namespace {

// A handler that admits, and counts.
Handler counting(int& count) {
    return [&count](const GateRequest&, const GateLogin&, const GateReply& reply) {
        ++count;
        reply.admit("ref-1");
    };
}

std::size_t open_descriptors() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator("/proc/self/fd"))
        ++count;
    return count;
}

// The module's asking, on a thread, while the loop turns.
Result<GateAnswer> ask_while(const Fixture& f, const GateRequest& request, milliseconds time) {
    auto asking = std::async(std::launch::async, [&] { return ask(f.path(), request, time); });
    while (asking.wait_for(milliseconds(0)) != std::future_status::ready)
        (void)sd_event_run(f.loop, 5'000);
    return asking.get();
}

} // namespace

TEST_CASE("gate server: a login is asked about, with the process that it is") {
    if (!is_root()) return;
    GateRequest seen;
    pid_t pid = 0;
    Fixture f([&](const GateRequest& request, const GateLogin& login, const GateReply& reply) {
        seen = request;
        pid = login.pid;
        CHECK(login.pidfd.valid());
        reply.refuse("7f3a2c1e-42", "No approved support session.\x1b[2J");
    });
    GateRequest request{Phase::account, "sshd", "azsupport", "203.0.113.7", "", "ssh", ""};
    const auto answer = ask_while(f, request, milliseconds(60'000));
    REQUIRE(answer);
    CHECK(answer->decision == Decision::refuse);
    CHECK(answer->reference == "7f3a2c1e-42");
    CHECK(answer->message == "No approved support session.?[2J");
    CHECK(seen.user == "azsupport");
    CHECK(seen.rhost == "203.0.113.7");
    CHECK(pid == ::getpid());
    CHECK(f.server->connections() == 0);
    CHECK(f.server->rejected() == 0);
    struct stat info {};
    REQUIRE(::stat(f.path().c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0600);
}

TEST_CASE("gate server: another's pidfd, a dead one's, no pidfd, two or none: no answer") {
    if (!is_root()) return;
    int asked = 0;
    Fixture f(counting(asked));
    const auto outcome = [&](const std::vector<int>& descriptors) {
        Raw raw(f.path());
        REQUIRE(raw.send(request_of("azsupport"), descriptors));
        f.turn();
        const std::string answer = raw.received();
        CHECK((raw.closed || !answer.empty()));
        return !answer.empty();
    };
    const Fd own = pidfd_of(::getpid());
    const Fd init = pidfd_of(1);
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    const Fd dead = pidfd_of(child);
    REQUIRE(::waitpid(child, nullptr, 0) == child);
    const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));

    CHECK(outcome({own.get()}));
    CHECK(asked == 1);
    const std::size_t before = open_descriptors();
    CHECK_FALSE(outcome({init.get()}));
    CHECK_FALSE(outcome({dead.get()}));
    CHECK_FALSE(outcome({null.get()}));
    CHECK_FALSE(outcome({}));
    CHECK_FALSE(outcome({own.get(), own.get()}));
    CHECK_FALSE(outcome(std::vector<int>(16, own.get()))); // more than there is room for
    CHECK(asked == 1);
    CHECK(f.server->rejected() == 6);
    CHECK(open_descriptors() == before);
}

TEST_CASE("gate server: malformed, oversized and empty messages end the connection") {
    if (!is_root()) return;
    int asked = 0;
    Fixture f(counting(asked));
    const Fd own = pidfd_of(::getpid());
    const std::string good = request_of("azsupport");
    for (const std::string& bytes :
         {std::string("junk"), good.substr(0, good.size() - 1), good + good, std::string(kMessageBytes, 'x'),
          good + std::string(kMessageBytes, 'x'), std::string()}) {
        Raw raw(f.path());
        (void)raw.send(bytes, {own.get()});
        f.turn();
        CHECK(raw.received().empty());
        CHECK(raw.closed);
    }
    CHECK(asked == 0);
    CHECK(f.server->connections() == 0);
}

TEST_CASE("gate server: answers that come later, twice, after the peer or the server has gone") {
    if (!is_root()) return;
    std::vector<GateReply> waiting;
    Fixture f(
        [&](const GateRequest&, const GateLogin&, const GateReply& reply) { waiting.push_back(reply); });
    const Fd own = pidfd_of(::getpid());
    Raw first(f.path());
    auto second = std::make_unique<Raw>(f.path());
    Raw third(f.path());
    Raw fourth(f.path());
    for (const Raw* raw : std::array<const Raw*, 4>{&first, second.get(), &third, &fourth})
        REQUIRE(raw->send(request_of("azsupport"), {own.get()}));
    f.turn();
    REQUIRE(waiting.size() == 4);
    CHECK(waiting[0].waiting());
    CHECK(waiting[1].waiting());
    second.reset();
    CHECK_FALSE(waiting[1].waiting()); // before the loop has noticed
    f.turn();
    CHECK(f.server->connections() == 3);
    waiting[1].admit("x");
    waiting[0].admit("a");
    waiting[0].refuse("b", "second");
    CHECK_FALSE(waiting[0].waiting());
    const auto answer = decode_answer(first.received());
    REQUIRE(answer);
    CHECK(answer->decision == Decision::admit);
    CHECK(answer->reference == "a");

    waiting[2] = waiting[0]; // the last copy goes without an answer
    f.turn();
    CHECK(third.received().empty());
    CHECK(third.closed);
    f.server.reset();
    CHECK_FALSE(waiting[3].waiting());
    waiting[3].admit("late");
    CHECK(fourth.received().empty());
    CHECK(fourth.closed);
}

TEST_CASE("gate server: peers that say nothing, handlers that never answer, crowds") {
    if (!is_root()) return;
    std::vector<GateReply> waiting;
    Fixture f([&](const GateRequest&, const GateLogin&, const GateReply& reply) { waiting.push_back(reply); },
              [](GateSettings& s) {
                  s.request_time = s.answer_time = milliseconds(100);
                  s.connections = 8;
              });
    const Fd own = pidfd_of(::getpid());
    Raw mute(f.path());
    Raw asker(f.path());
    REQUIRE(asker.send(request_of("azsupport"), {own.get()}));
    f.turn();
    CHECK(f.server->connections() == 2);
    std::vector<std::unique_ptr<Raw>> crowd;
    for (int i = 0; i < 20; ++i)
        crowd.push_back(std::make_unique<Raw>(f.path()));
    f.turn();
    CHECK(f.server->connections() == 8);
    CHECK(f.server->rejected() == 14);
    CHECK(f.comes_down_to(0));
    CHECK(waiting.size() == 1);
    CHECK_FALSE(waiting[0].waiting());
}

TEST_CASE("gate server: not root, whatever the socket's mode") {
    if (!is_root()) return;
    int asked = 0;
    Fixture f(counting(asked));
    std::filesystem::permissions(f.folder.path(), std::filesystem::perms(0755));
    REQUIRE(::chmod(f.path().c_str(), 0666) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        if (::setresgid(65534, 65534, 65534) != 0 || ::setresuid(65534, 65534, 65534) != 0) ::_exit(3);
        const auto answer =
            ask(f.path(), {Phase::account, "sshd", "azsupport", "", "", "", ""}, milliseconds(200));
        ::_exit(answer ? 2 : 0);
    }
    int status = 0;
    while (::waitpid(child, &status, WNOHANG) == 0)
        (void)sd_event_run(f.loop, 5'000);
    CHECK(WEXITSTATUS(status) == 0);
    CHECK(asked == 0);
    CHECK(f.server->rejected() > 0);
}

TEST_CASE(
    "asking: nobody listens, or nobody answers: the time is kept; a daemon that restarts is waited for") {
    if (!is_root()) return;
    const auto took = [](const std::function<void()>& what) {
        const auto begin = std::chrono::steady_clock::now();
        what();
        return std::chrono::steady_clock::now() - begin;
    };
    const GateRequest request{Phase::account, "sshd", "azsupport", "", "", "", ""};
    CHECK(took([&] { CHECK_FALSE(ask("/nonexistent/gate.sock", request, milliseconds(100))); }) >=
          milliseconds(100));
    {
        Fixture hung([](const GateRequest&, const GateLogin&, const GateReply&) {});
        const auto time = took([&] {
            const auto answer = ask(hung.path(), request, milliseconds(150)); // the loop never turns
            CHECK_FALSE(answer);
            CHECK(answer.error().why == "no answer in time");
        });
        CHECK(time >= milliseconds(150));
        CHECK(time < milliseconds(10'000));
    }
    int asked = 0;
    int dropped = 0;
    Fixture f([&](const GateRequest&, const GateLogin&, const GateReply& reply) {
        if (++asked > 2) return reply.admit("ok");
        ++dropped; // gone without an answer, as when the daemon ends
    });
    const auto answer = ask_while(f, request, milliseconds(60'000));
    REQUIRE(answer);
    CHECK(answer->decision == Decision::admit);
    CHECK(dropped == 2);
}

TEST_CASE("gate login: the pid in a pidfd's fdinfo") {
    CHECK(*pid_of_fdinfo("pos:\t0\nflags:\t02000002\nPid:\t42\nNSpid:\t42\n") == 42);
    CHECK(*pid_of_fdinfo("Pid:\t-1\n") == -1);
    CHECK(*pid_of_fdinfo("Pid:\t0") == 0);
    CHECK_FALSE(pid_of_fdinfo("pos:\t0\nNSpid:\t42\n"));
    CHECK_FALSE(pid_of_fdinfo("Pid:\t4x\n"));
    CHECK_FALSE(pid_of_fdinfo(""));
}
