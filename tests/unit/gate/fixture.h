// A gate server on a loop of its own, and what a login's module or a bad peer sends it.
#pragma once

#include "gate/server.h"
#include "temp_folder.h"

#include <chrono>
#include <cstring>
#include <doctest/doctest.h>
#include <functional>
#include <string>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <systemd/sd-event.h>
#include <unistd.h>
#include <vector>

namespace escort::gate::test {

// The gate answers nobody else.
[[nodiscard]] inline bool is_root() {
    return ::geteuid() == 0;
}

class Fixture {
  public:
    explicit Fixture(Handler handler, const std::function<void(GateSettings&)>& tune = {}) {
        REQUIRE(sd_event_new(&loop) >= 0);
        GateSettings settings;
        settings.path = path();
        if (tune) tune(settings);
        auto made = GateServer::listen(loop, settings, std::move(handler));
        REQUIRE(made);
        server = std::move(*made);
    }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;
    ~Fixture() {
        server.reset();
        sd_event_unref(loop);
    }

    [[nodiscard]] std::string path() const { return folder.path("gate.sock"); }
    // Everything that is ready now.
    void turn() const {
        while (sd_event_run(loop, 0) > 0) {
        }
    }
    // Until that many connections are left; false after a minute.
    [[nodiscard]] bool comes_down_to(std::size_t connections) const {
        const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
        while (server->connections() != connections && std::chrono::steady_clock::now() < end)
            (void)sd_event_run(loop, 20'000);
        return server->connections() == connections;
    }

    escort::test::TempFolder folder;
    sd_event* loop = nullptr;
    std::unique_ptr<GateServer> server;
};

[[nodiscard]] inline Fd pidfd_of(pid_t pid) {
    return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

// A peer that sends any bytes with any descriptors.
class Raw {
  public:
    explicit Raw(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        REQUIRE(::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    }

    [[nodiscard]] bool send(std::string bytes, const std::vector<int>& descriptors) const {
        iovec piece{bytes.data(), bytes.size()};
        alignas(cmsghdr) char control[CMSG_SPACE(16 * sizeof(int))] = {};
        msghdr message{};
        message.msg_iov = &piece;
        message.msg_iovlen = 1;
        if (!descriptors.empty()) {
            const std::size_t size = descriptors.size() * sizeof(int);
            message.msg_control = control;
            message.msg_controllen = CMSG_SPACE(size);
            cmsghdr* const rights = CMSG_FIRSTHDR(&message);
            rights->cmsg_level = SOL_SOCKET;
            rights->cmsg_type = SCM_RIGHTS;
            rights->cmsg_len = CMSG_LEN(size);
            std::memcpy(CMSG_DATA(rights), descriptors.data(), size);
        }
        return ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) ==
               static_cast<ssize_t>(bytes.size());
    }
    // What has come; empty where nothing has, and `closed` where nothing will.
    [[nodiscard]] std::string received() {
        std::string answer(kMessageBytes, '\0');
        const ssize_t got = ::recv(socket_.get(), answer.data(), answer.size(), MSG_DONTWAIT);
        closed = got == 0 || (got < 0 && errno != EAGAIN);
        answer.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        return answer;
    }

    bool closed = false;

  private:
    Fd socket_;
};

[[nodiscard]] inline std::string request_of(const std::string& user, Phase phase = Phase::account) {
    GateRequest request;
    request.phase = phase;
    request.service = "sshd";
    request.user = user;
    return *encode(request);
}

} // namespace escort::gate::test
