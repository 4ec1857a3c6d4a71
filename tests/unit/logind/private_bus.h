// A bus of the test's own: a real dbus-daemon in a folder, and a loop to run until something holds.
#pragma once

#include "base/clock.h"
#include "temp_folder.h"

#include <csignal>
#include <cstdlib>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <unistd.h>

namespace escort {

class PrivateBus {
  public:
    PrivateBus() {
        std::ofstream(folder_.path("bus.conf"))
            << "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" "
               "\"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n<busconfig><listen>"
            << address()
            << "</listen><auth>EXTERNAL</auth><policy context=\"default\"><allow send_destination=\"*\"/>"
               "<allow receive_sender=\"*\"/><allow own=\"*\"/></policy></busconfig>\n";
        REQUIRE(sd_event_new(&loop_) >= 0);
    }
    ~PrivateBus() {
        stop();
        sd_event_unref(loop_);
    }
    PrivateBus(const PrivateBus&) = delete;
    PrivateBus& operator=(const PrivateBus&) = delete;

    [[nodiscard]] std::string address() const { return "unix:path=" + folder_.path("socket"); }
    [[nodiscard]] std::string folder() const { return folder_.path(); }
    [[nodiscard]] sd_event* loop() const { return loop_; }

    void start() {
        pid_ = ::fork();
        if (pid_ == 0) {
            ::dup2(::open("/dev/null", O_WRONLY), 2); // it warns of a limit that it may not raise
            const auto config = "--config-file=" + folder_.path("bus.conf");
            ::execl("/usr/bin/dbus-daemon", "dbus-daemon", config.c_str(), "--nofork", "--nopidfile",
                    static_cast<char*>(nullptr));
            ::_exit(127);
        }
    }
    void stop() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = 0;
        std::filesystem::remove(folder_.path("socket"));
    }
    void hold(bool still) const { ::kill(pid_, still ? SIGSTOP : SIGCONT); }

    // Runs the loop until it holds, at most 5 s.
    bool until(const std::function<bool()>& holds) const { return run(holds, 5 * 1'000'000'000ULL); }
    void run_for(std::uint64_t ns) const {
        (void)run([] { return false; }, ns);
    }

  private:
    bool run(const std::function<bool()>& holds, std::uint64_t ns) const {
        const auto end = boot_ns() + ns;
        while (!holds()) {
            if (boot_ns() > end || sd_event_run(loop_, 10'000) < 0) return false;
        }
        return true;
    }

    test::TempFolder folder_;
    pid_t pid_ = 0;
    sd_event* loop_ = nullptr;
};

struct CloseBus {
    void operator()(sd_bus* bus) const { sd_bus_close_unref(bus); }
};
using TestBus = std::unique_ptr<sd_bus, CloseBus>;

// A connection that owns `name`, served by the test's loop. Waits for the bus, at most 5 s.
inline TestBus serve(const PrivateBus& on, const char* name) {
    const auto end = boot_ns() + 5 * 1'000'000'000ULL;
    for (;;) {
        sd_bus* made = nullptr;
        REQUIRE(sd_bus_new(&made) >= 0);
        TestBus bus(made);
        REQUIRE(sd_bus_set_address(made, on.address().c_str()) >= 0);
        REQUIRE(sd_bus_set_bus_client(made, 1) >= 0);
        if (sd_bus_start(made) >= 0) { // its socket may be there before it listens
            REQUIRE(sd_bus_request_name(made, name, 0) >= 0);
            REQUIRE(sd_bus_attach_event(made, on.loop(), 0) >= 0);
            return bus;
        }
        REQUIRE(boot_ns() < end);
        ::usleep(5000);
    }
}

} // namespace escort
