#include "service/courier_watch.h"

#include "base/file.h"
#include "base/moment.h"
#include "output/receiver.h"

#include <doctest/doctest.h>
#include <filesystem>
#include <unistd.h>

using namespace escort;
using escort::test::Receiver;
using escort::test::TempFolder;

namespace {

constexpr std::uint64_t kBegin = 1000 * kNsPerSecond;

struct Watched {
    Watched() : health(journal), watch(settings(), folder.path("report.json"), health, kBegin) {
        receiver.start();
    }

    static CourierSettings settings() {
        CourierSettings made;
        made.stale_after_s = 10;
        HttpsSettings source;
        source.url = "https://b.example/d";
        made.sources = {source};
        return made;
    }
    void report(SourceState state, std::uint64_t failing_since_s = 0, const std::string& error = {}) {
        SourceReport source;
        source.name = "https://b.example/d";
        source.state = state;
        source.last_success_ns = kBegin;
        source.failing_since_ns = failing_since_s * kNsPerSecond;
        source.last_error = error;
        REQUIRE(write_file_atomically(folder.path("report.json"), to_json({kBegin, {source}}), 0644));
    }
    bool degraded_at(std::uint64_t second) {
        watch.tick(second * kNsPerSecond);
        return health.conditions().contains("courier");
    }

    TempFolder folder;
    Receiver receiver;
    Journal journal{{}, receiver.path()};
    Health health;
    CourierWatch watch;
};

} // namespace

TEST_CASE("courier watch: a source that works is enough, one that fails has its time") {
    Watched watched;
    watched.report(SourceState::working);
    CHECK_FALSE(watched.degraded_at(1001));
    CHECK_FALSE(watched.degraded_at(5000)); // nothing new is no failure
    watched.report(SourceState::failing, 6000, "no route");
    CHECK_FALSE(watched.degraded_at(6010));
    CHECK(watched.degraded_at(6011));
    const auto& condition = watched.health.conditions().at("courier");
    CHECK(condition.why == "no source has worked for 10 s: https://b.example/d");
    watched.report(SourceState::working);
    CHECK_FALSE(watched.degraded_at(6012));
}

TEST_CASE("courier watch: what a courier says of an error makes no entry of the journal's") {
    Watched watched;
    watched.report(SourceState::failing, 1000, "one");
    CHECK(watched.degraded_at(1020));
    CHECK(watched.receiver.next());
    for (int i = 0; i < 5; i++) {
        watched.report(SourceState::failing, 1000, "other " + std::to_string(i));
        CHECK(watched.degraded_at(1021));
    }
    CHECK_FALSE(watched.receiver.next());
    CHECK(watched.watch.sources_json(1030 * kNsPerSecond)[0]["last_error"] == "other 4");
}

TEST_CASE("courier watch: no courier, a report that is none, a link to somewhere else") {
    Watched watched;
    CHECK_FALSE(watched.degraded_at(1010));
    CHECK(watched.degraded_at(1011));
    CHECK(watched.watch.sources_json(kBegin)[0]["state"] == "unknown");
    CHECK(watched.watch.sources_json(kBegin)[0]["last_error"] == "escort-courier does not run");
    watched.report(SourceState::working);
    CHECK_FALSE(watched.degraded_at(1012));
    std::filesystem::rename(watched.folder.path("report.json"), watched.folder.path("elsewhere"));
    REQUIRE(::symlink(watched.folder.path("elsewhere").c_str(), watched.folder.path("report.json").c_str()) ==
            0);
    CHECK_FALSE(watched.degraded_at(1020)); // it worked a moment ago
    CHECK(watched.degraded_at(1023));
    std::filesystem::remove(watched.folder.path("report.json"));
    watched.folder.write("report.json", "{}");
    CHECK(watched.degraded_at(1024));
    CHECK(watched.watch.sources_json(kBegin)[0]["last_error"] == "escort-courier's report can't be read");
}

TEST_CASE("courier watch: a host without sources misses nothing") {
    Watched watched;
    CourierWatch none({}, watched.folder.path("report.json"), watched.health, kBegin);
    none.tick(kBegin * 100);
    CHECK(watched.health.healthy());
    CHECK(none.sources_json(kBegin).empty());
}

TEST_CASE("courier watch: ages are seconds, and null for never") {
    Watched watched;
    watched.report(SourceState::failing, 1100, "no");
    const auto source = watched.watch.sources_json(1130 * kNsPerSecond)[0];
    CHECK(source["last_success_seconds"] == 130);
    CHECK(source["failing_seconds"] == 30);
    CHECK(source["last_list_seconds"].is_null());
    CHECK(source["next_try_seconds"].is_null());
}
