// A control server on a loop of its own, and raw peers that behave as badly as a test wants.
#pragma once

#include "control/client.h"
#include "control/server.h"
#include "temp_folder.h"

#include <chrono>
#include <cstring>
#include <doctest/doctest.h>
#include <filesystem>
#include <functional>
#include <stdlib.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-event.h>
#include <unistd.h>
#include <vector>

namespace escort::control::test {

// A folder that everyone may enter, gone with the test.
class Folder {
  public:
    Folder() { std::filesystem::permissions(folder_.path(), std::filesystem::perms(0755)); }
    [[nodiscard]] std::string file(const std::string& name) const { return folder_.path(name); }

  private:
    escort::test::TempFolder folder_;
};

// The server and its loop, turned by hand: what the daemon would do between two looks of the test.
class Fixture {
  public:
    explicit Fixture(std::vector<Request> requests, const std::function<void(ServerSettings&)>& tune = {}) {
        REQUIRE(sd_event_new(&loop) >= 0);
        ServerSettings settings;
        settings.path = path();
        if (tune) tune(settings);
        auto made = Server::listen(loop, settings, std::move(requests));
        REQUIRE(made);
        server = std::move(*made);
    }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;
    ~Fixture() {
        server.reset();
        sd_event_unref(loop);
    }

    [[nodiscard]] std::string path() const { return folder.file("control.sock"); }

    // Everything that is ready now, and what becomes ready within `ms`.
    void turn(int ms = 0) const {
        while (sd_event_run(loop, static_cast<std::uint64_t>(ms) * 1000) > 0) {
        }
    }

    // Until that many connections are left; false after a minute, which is far beyond every limit under test.
    [[nodiscard]] bool comes_down_to(std::size_t connections) const {
        const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
        while (server->connections() != connections && std::chrono::steady_clock::now() < end)
            (void)sd_event_run(loop, 20'000);
        return server->connections() == connections;
    }

    Folder folder;
    sd_event* loop = nullptr;
    std::unique_ptr<Server> server;
};

// A peer that speaks bytes.
class Raw {
  public:
    explicit Raw(const std::string& path)
        : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        connected = ::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    }

    // How much was taken.
    [[nodiscard]] std::size_t send(std::string_view bytes) const {
        const ssize_t put = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        return put < 0 ? 0 : static_cast<std::size_t>(put);
    }
    // What has come, and whether the other side has closed.
    [[nodiscard]] std::string received() {
        std::string all;
        char piece[4096];
        for (;;) {
            const ssize_t got = ::recv(socket_.get(), piece, sizeof piece, MSG_DONTWAIT);
            if (got == 0 || (got < 0 && errno != EAGAIN)) closed = true;
            if (got <= 0) return all;
            all.append(piece, static_cast<std::size_t>(got));
        }
    }

    bool connected = false;
    bool closed = false;

  private:
    Fd socket_;
};

} // namespace escort::control::test
