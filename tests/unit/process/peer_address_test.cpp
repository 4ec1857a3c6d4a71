// Where an SSH connection comes from, told by sshd's own socket. The "sshd" here is a shell under that name.
#include "process/peer_address.h"

#include "process/children.h"
#include "process/sock_diag.h"
#include "process/sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

using namespace escort;

namespace {

constexpr const char* kStay = "echo $$; while :; do sleep 60; done";
constexpr const char* kBelow = "sleep 60 & echo $!; wait";

// Both ends of a TCP connection over the loopback interface, and its listener.
struct Connection {
    Fd listener, client, accepted;
    std::uint16_t client_port = 0;

    // `listen_on`: AF_INET, or AF_INET6 for the unspecified address (which takes IPv4 too).
    Connection(int listen_on, const char* to) {
        listener = Fd(::socket(listen_on, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_storage address{};
        socklen_t size = listen_on == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
        address.ss_family = static_cast<sa_family_t>(listen_on);
        REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
        REQUIRE(::listen(listener.get(), 4) == 0);
        sockaddr_in6 bound{};
        size = sizeof bound;
        REQUIRE(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&bound), &size) == 0);

        sockaddr_in four{};
        four.sin_family = AF_INET;
        four.sin_port = bound.sin6_port; // the port is at the same place in both
        sockaddr_in6 six{};
        six.sin6_family = AF_INET6;
        six.sin6_port = bound.sin6_port;
        const bool is_four = ::inet_pton(AF_INET, to, &four.sin_addr) == 1;
        if (!is_four) REQUIRE(::inet_pton(AF_INET6, to, &six.sin6_addr) == 1);
        client = Fd(::socket(is_four ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const auto* target =
            is_four ? reinterpret_cast<const sockaddr*>(&four) : reinterpret_cast<const sockaddr*>(&six);
        REQUIRE(::connect(client.get(), target, is_four ? sizeof four : sizeof six) == 0);
        accepted = Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        REQUIRE(accepted.valid());
        size = sizeof bound;
        REQUIRE(::getsockname(client.get(), reinterpret_cast<sockaddr*>(&bound), &size) == 0);
        client_port = ntohs(bound.sin6_port);
    }
};

Result<PeerAddress> peer_of(pid_t pid) {
    return peer_address(Process::open(pid).value());
}

bool root() {
    return ::geteuid() == 0;
}

} // namespace

TEST_CASE("peer: of the sshd that holds the connection, and of what runs below it") {
    if (!root()) return;
    const TestPrograms programs;
    const Connection connection(AF_INET, "127.0.0.1");
    for (const char* name : {"sshd", "sshd-session"}) {
        const TestChild sshd({programs.shell(name), "-c", kBelow}, 0, {connection.accepted.get()});
        const auto peer = peer_of(sshd.pid());
        REQUIRE(peer);
        CHECK(peer->address == "127.0.0.1");
        CHECK(peer->port == connection.client_port);
        CHECK(peer->pid == sshd.pid());
        CHECK(peer_of(sshd.said()).value().port == connection.client_port);
    }
}

TEST_CASE("peer: IPv6, and IPv4 at an IPv6 listener as what it is") {
    if (!root()) return;
    const TestPrograms programs;
    const Connection six(AF_INET6, "::1"), mapped(AF_INET6, "127.0.0.2");
    const TestChild first({programs.shell("sshd"), "-c", kStay}, 0, {six.accepted.get()});
    CHECK(peer_of(first.pid()).value().address == "::1");
    const TestChild second({programs.shell("sshd"), "-c", kStay}, 0, {mapped.accepted.get()});
    CHECK(peer_of(second.pid()).value().address == "127.0.0.1");
}

TEST_CASE("peer: nothing where no sshd of root has a connection") {
    if (!root()) return;
    const TestPrograms programs;
    const Connection connection(AF_INET, "127.0.0.1");
    const TestChild other({programs.shell("sh"), "-c", kStay}, 0, {connection.accepted.get()});
    CHECK_FALSE(peer_of(other.pid()));
    const TestChild their_own({programs.shell("sshd"), "-c", kStay}, 65534, {connection.accepted.get()});
    CHECK_FALSE(peer_of(their_own.pid())); // the account's own program of that name
    const TestChild listener({programs.shell("sshd"), "-c", kStay}, 0, {connection.listener.get()});
    CHECK_FALSE(peer_of(listener.pid()));
    TestChild gone({programs.shell("sshd"), "-c", kStay}, 0, {connection.accepted.get()});
    const auto process = Process::open(gone.pid());
    gone.end();
    CHECK_FALSE(peer_address(*process));
}

TEST_CASE("peer: of several connections the one that came in where sshd's parent listens") {
    if (!root()) return;
    const TestPrograms programs;
    const auto sshd = programs.shell("sshd");
    const Connection ours(AF_INET, "127.0.0.1"), other(AF_INET, "127.0.0.1");
    const TestChild alone({sshd, "-c", kStay}, 0, {other.client.get(), ours.accepted.get()});
    CHECK(peer_of(alone.pid()).error().why.find("several connections") != std::string::npos);
    // The same socket twice is one connection.
    const TestChild twice({sshd, "-c", kStay}, 0, {ours.accepted.get(), ours.accepted.get()});
    CHECK(peer_of(twice.pid()).value().port == ours.client_port);

    // The listener's child: a shell that starts another, both named sshd, both holding all of this.
    const TestChild parent({sshd, "-c", sshd + " -c 'echo $$; while :; do sleep 60; done' & wait"}, 0,
                           {ours.listener.get(), ours.accepted.get(), other.client.get()});
    const auto peer = peer_of(parent.said());
    REQUIRE(peer);
    CHECK(peer->port == ours.client_port);
    CHECK(peer->pid == parent.said());
}

TEST_CASE("sock_diag: the same connection, as the kernel's table has it") {
    const Connection four(AF_INET, "127.0.0.1"), six(AF_INET6, "::1"), unasked(AF_INET, "127.0.0.1");
    std::set<ino_t> inodes;
    for (const auto* connection : {&four, &six}) {
        struct stat info {};
        REQUIRE(::fstat(connection->accepted.get(), &info) == 0);
        inodes.insert(info.st_ino);
    }
    const auto found = connections_of(inodes, std::chrono::milliseconds(1000));
    REQUIRE(found);
    REQUIRE(found->size() == 2);
    CHECK(found->at(0).peer.address == "127.0.0.1");
    CHECK(found->at(0).peer.port == four.client_port);
    CHECK(found->at(1).peer.address == "::1");
    CHECK(found->at(1).peer.port == six.client_port);
    CHECK_FALSE(connections_of(inodes, std::chrono::milliseconds(-1)));
}
