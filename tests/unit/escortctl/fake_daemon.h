// A daemon's control socket with canned answers, turned by a thread, and escortctl run against it in-process.
#pragma once

#include "base/file.h"
#include "control/server.h"
#include "escortctl/command.h"
#include "temp_folder.h"

#include <atomic>
#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <stdlib.h>
#include <string>
#include <systemd/sd-event.h>
#include <thread>
#include <vector>

namespace escort::ctl::test {

constexpr std::int64_t kNow = 1767225600; // 2026-01-01T00:00:00Z

// A folder with settings, a spool and a trust folder of its own.
class Home {
  public:
    Home() {
        for (const char* folder : {"spool", "trust", "run"})
            std::filesystem::create_directory(file(folder));
        write("escortd.yaml", "version: 1\nhost_id: host-1\npaths: {run: " + file("run") +
                                  ", spool: " + file("spool") + ", trust: " + file("trust") + "}\n");
    }

    [[nodiscard]] std::string file(const std::string& name) const { return folder_.path(name); }
    void write(const std::string& name, const std::string& content) const { folder_.write(name, content); }
    [[nodiscard]] std::string read(const std::string& name) const {
        return read_file(file(name), std::size_t{1} << 24).value_or("");
    }

  private:
    escort::test::TempFolder folder_;
};

struct Ran {
    int code = -1;
    std::string out;
    std::string err;
};

// One command, as typed; `home`'s settings are used.
inline Ran run_ctl(const Home& home, std::vector<std::string> words, bool terminal = false) {
    std::ostringstream out;
    std::ostringstream err;
    words.insert(words.begin(), {"--config", home.file("escortd.yaml")});
    const int code = run(words, Output{out, err, terminal, kNow});
    return {code, out.str(), err.str()};
}

// `actual` must be what tests/golden/escortctl/NAME holds. With ESCORT_UPDATE_GOLDEN set it is written there
// first: read the difference before committing it.
inline void check_golden(const std::string& name, const std::string& actual) {
    const std::string path = std::string(ESCORT_SOURCE_DIR "/tests/golden/escortctl/") + name;
    if (std::getenv("ESCORT_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << actual;
    CAPTURE(path);
    CHECK(read_file(path, std::size_t{1} << 20).value_or("(no such file)") == actual);
}

class FakeDaemon {
  public:
    using Answer = std::function<void(const nlohmann::json& params, const control::Reply& reply)>;

    FakeDaemon(const Home& home, const std::map<std::string, Answer>& answers) {
        REQUIRE(sd_event_new(&loop_) >= 0);
        control::ServerSettings settings;
        settings.path = home.file("run/control.sock");
        std::vector<control::Request> requests;
        for (const auto& [name, answer] : answers)
            requests.push_back({name, control::Permission::read,
                                [answer = answer](const nlohmann::json& params, const control::Peer&,
                                                  const control::Reply& reply) { answer(params, reply); }});
        auto server = control::Server::listen(loop_, settings, std::move(requests));
        REQUIRE(server);
        server_ = std::move(*server);
        thread_ = std::thread([this] {
            while (!stop_)
                (void)sd_event_run(loop_, 5'000);
        });
    }
    FakeDaemon(const FakeDaemon&) = delete;
    FakeDaemon& operator=(const FakeDaemon&) = delete;
    ~FakeDaemon() {
        stop_ = true;
        thread_.join();
        server_.reset();
        sd_event_unref(loop_);
    }

    // An answer that is always the same.
    static Answer always(nlohmann::json result) {
        return [result = std::move(result)](const nlohmann::json&, const control::Reply& reply) {
            reply.ok(result);
        };
    }

  private:
    sd_event* loop_ = nullptr;
    std::unique_ptr<control::Server> server_;
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

} // namespace escort::ctl::test
