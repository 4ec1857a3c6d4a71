#include "service/event_outbox.h"

#include "approvals/jws.h"
#include "approvals/trust.h"
#include "base/file.h"
#include "feed/outbox.h"
#include "output/receiver.h"
#include "output/records.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

using namespace escort;
using escort::test::Receiver;
using escort::test::TempFolder;
using nlohmann::json;

namespace {

constexpr std::uint32_t kBoot = 0x7f3a2c1e;

struct UnrefLoop {
    void operator()(sd_event* loop) const { sd_event_unref(loop); }
};

struct Host {
    Host() {
        receiver.start();
        sd_event* made = nullptr;
        REQUIRE(sd_event_new(&made) >= 0);
        loop.reset(made);
        std::filesystem::create_directory(folder.path("outbox"));
        start();
    }
    void start(std::uint32_t boot = kBoot) {
        outbox.reset();
        auto opened = EventOutbox::open({loop.get(), keeper, journal, health, "i-0abc", boot}, places());
        REQUIRE(opened);
        outbox = std::move(*opened);
    }
    OutboxPlaces places() const {
        return {folder.path("outbox"), folder.path("host.key"), folder.path("host.pem"),
                folder.path("next-event")};
    }
    void offer(const std::string& approval = "apr-1", const std::string& id = "7f3a2c1e-1") {
        SessionRecord session;
        session.id = id;
        session.account = "azsupport";
        session.approval = approval;
        outbox->offer(session_ended(session), {});
    }
    std::vector<std::string> files() const {
        std::vector<std::string> all;
        for (const auto& entry : std::filesystem::directory_iterator(folder.path("outbox")))
            all.push_back(entry.path().filename().string());
        std::sort(all.begin(), all.end());
        return all;
    }
    // What a broker makes of a file that has the public half.
    json claims(const std::string& file) const {
        std::filesystem::create_directories(folder.path("trust"));
        std::filesystem::copy_file(folder.path("host.pem"), folder.path("trust/host.pem"),
                                   std::filesystem::copy_options::overwrite_existing);
        const auto trust = load_trust(TrustFolders{folder.path("trust"), ""});
        REQUIRE(trust);
        const auto bytes = read_file(folder.path("outbox/" + file), kSessionEventLimit);
        REQUIRE(bytes);
        const auto verified = verify_jws(*bytes, *trust);
        REQUIRE(verified);
        CHECK(verified->typ == kSessionEventType);
        return json::parse(verified->payload);
    }

    TempFolder folder;
    Receiver receiver;
    Journal journal{{}, receiver.path()};
    Health health{journal};
    TrustedTime time;
    Timekeeper keeper{time};
    std::unique_ptr<sd_event, UnrefLoop> loop;
    std::unique_ptr<EventOutbox> outbox;
};

} // namespace

TEST_CASE("event outbox: an event is written when the loop has nothing else, signed by the host's key") {
    Host host;
    host.offer();
    CHECK(host.files().empty());
    CHECK(host.outbox->counters().waiting == 1);
    REQUIRE(sd_event_run(host.loop.get(), 0) > 0);
    const auto files = host.files();
    REQUIRE(files.size() == 1);
    const auto name = parse_event_name(files[0]);
    REQUIRE(name);
    CHECK(name->event == "session_ended");
    const json claims = host.claims(files[0]);
    CHECK(claims["iss"] == "host:i-0abc");
    CHECK(claims["seq"] == 1);
    CHECK(claims["jti"] == event_id(*name));
    CHECK(claims["iat"] == name->at);
    struct stat info {};
    REQUIRE(::stat(host.folder.path("host.key").c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
    REQUIRE(::stat(host.folder.path("outbox/" + files[0]).c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0644);
    CHECK(sd_event_run(host.loop.get(), 0) == 0); // asleep again
}

TEST_CASE("event outbox: other entries of the journal are not the broker's") {
    Host host;
    host.outbox->offer(agent_stopped("asked to stop"), {});
    host.outbox->offer(session_exec({}, {}), {});
    CHECK(host.outbox->counters().waiting == 0);
}

TEST_CASE("event outbox: what has arrived goes; a new start goes on with key and numbers") {
    Host host;
    for (int i = 0; i < 3; ++i)
        host.offer();
    host.outbox->flush();
    const auto files = host.files();
    REQUIRE(files.size() == 3);
    host.outbox->delivered("");
    CHECK(host.files().size() == 3);
    host.outbox->delivered(files[1]);
    CHECK(host.files() == std::vector<std::string>{files[2]});
    CHECK(host.outbox->counters().waiting == 1);

    const std::string key = host.outbox->key();
    host.folder.write("outbox/.half", "x");
    host.folder.write("outbox/README", "x");
    host.start();
    CHECK(host.outbox->key() == key);
    CHECK(host.outbox->counters().waiting == 1);
    CHECK(host.files().size() == 2); // README is nobody's business
    host.outbox->delivered("zzz");   // of a courier that was taken over: it may withhold, no more
    CHECK(host.outbox->counters().waiting == 0);
    host.offer();
    host.outbox->flush();
    CHECK(host.claims(host.files()[0])["seq"] == 4);
    host.outbox->delivered(host.files()[0]);
    CHECK(host.outbox->counters().waiting == 0);

    // No file waits and no number was kept: another boot.
    host.start(kBoot + 1);
    host.offer();
    host.outbox->flush();
    const auto name = parse_event_name(host.files()[0]);
    REQUIRE(name);
    CHECK(name->boot == kBoot + 1);
    CHECK(name->number == 1);
}

TEST_CASE("event outbox: without the number's file it goes on behind what waits") {
    Host host;
    host.offer();
    host.offer();
    host.outbox->flush();
    std::filesystem::remove(host.folder.path("next-event"));
    host.start();
    host.offer();
    host.outbox->flush();
    CHECK(host.claims(host.files()[2])["seq"] == 3);
    for (const char* spoilt : {"", "7f3a2c1e", "7f3a2c1e ", "7f3a2c1e x", "7f3a2c1e -4", "00000000 99"}) {
        host.folder.write("next-event", spoilt);
        host.start();
        host.offer();
        CHECK(host.outbox->counters().waiting >= 3);
    }
}

TEST_CASE(
    "event outbox: it is bounded, refused sessions push out no approved one, and losses are told by number") {
    Host host;
    for (std::size_t i = 0; i < EventOutbox::kMostEvents; ++i) {
        host.offer("");
        host.outbox->flush();
    }
    CHECK(host.files().size() == EventOutbox::kMostEvents / 2);
    CHECK(host.outbox->counters().dropped == EventOutbox::kMostEvents / 2);
    CHECK(host.health.conditions().contains("events"));
    host.offer("apr-1");
    host.outbox->flush();
    const auto files = host.files();
    REQUIRE(files.size() == EventOutbox::kMostEvents / 2 + 1);
    CHECK(parse_event_name(files.back())->number ==
          EventOutbox::kMostEvents + 1); // the lost ones had numbers

    while (host.receiver.next()) {
    }
    host.outbox->tick(1);
    const auto told = host.receiver.next();
    REQUIRE(told);
    CHECK(told->find("ESCORT_EVENT=events_dropped") != std::string::npos);
    CHECK(told->find("ESCORT_DROPPED=" + std::to_string(EventOutbox::kMostEvents / 2)) != std::string::npos);
    host.outbox->tick(2 * kNsPerSecond);
    CHECK_FALSE(host.receiver.next());

    host.outbox->delivered(files.back());
    CHECK_FALSE(host.health.conditions().contains("events"));
    CHECK(host.files().empty());
}

TEST_CASE("event outbox: what can't be written is lost, and says so") {
    Host host;
    std::filesystem::remove_all(host.folder.path("outbox"));
    host.offer();
    host.outbox->flush();
    CHECK(host.outbox->counters().dropped == 1);
    CHECK(host.health.conditions().contains("events"));
    std::filesystem::create_directory(host.folder.path("outbox"));
    host.offer();
    host.outbox->flush();
    CHECK(host.files().size() == 1);
    CHECK_FALSE(host.health.conditions().contains("events"));
}

TEST_CASE("event outbox: a key that can't be read is not replaced by another") {
    Host host;
    host.folder.write("host.key", "no key");
    const auto opened = EventOutbox::open(
        {host.loop.get(), host.keeper, host.journal, host.health, "i-0abc", kBoot}, host.places());
    CHECK_FALSE(opened);
    std::filesystem::remove(host.folder.path("host.key"));
    std::filesystem::remove_all(host.folder.path("outbox"));
    const auto without = EventOutbox::open(
        {host.loop.get(), host.keeper, host.journal, host.health, "i-0abc", kBoot}, host.places());
    REQUIRE_FALSE(without);
    CHECK(without.error().text().find("outbox") != std::string::npos);
}
