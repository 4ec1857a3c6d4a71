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
        outbox = std::make_unique<EventOutbox>(
            EventOutbox::Ground{loop.get(), keeper, journal, health, "i-0abc", boot}, places());
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
    // All that came since it was read last.
    std::vector<std::string> read_journal() {
        std::vector<std::string> all;
        do {
            journal.flush();
            while (auto next = receiver.next())
                all.push_back(std::move(*next));
        } while (journal.waiting());
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
    host.outbox->delivered({});
    host.outbox->delivered({"../host.key", "", "zzz", files[2] + "x"}); // of a courier that was taken over
    CHECK(host.files().size() == 3);
    CHECK(std::filesystem::exists(host.folder.path("host.key")));
    host.outbox->delivered({files[0], files[2], files[0]});
    CHECK(host.files() == std::vector<std::string>{files[1]});
    CHECK(host.outbox->counters().waiting == 1);

    const std::string key = host.outbox->key();
    CHECK(key.size() == 43);
    host.folder.write("outbox/.half", "x");
    host.folder.write("outbox/README", "x");
    host.start(kBoot + 1);
    CHECK(host.outbox->key() == key);
    CHECK(host.outbox->counters().waiting == 1);
    CHECK(host.files().size() == 2); // README is nobody's business
    host.outbox->delivered({files[1]});
    CHECK(host.outbox->counters().waiting == 0);
    host.offer();
    host.outbox->flush();
    const json claims = host.claims(host.files()[0]);
    CHECK(claims["seq"] == 4); // through boots, so that what a boot lost at its end is missing, too
    CHECK(claims["jti"] == "7f3a2c1f-e4");
}

TEST_CASE("event outbox: a clock that goes back hides nothing") {
    Host host;
    CHECK(host.time.read({2'000'000'000, 1}).moment.trusted >= 2'000'000'000);
    host.offer();
    host.outbox->flush();
    host.outbox->delivered(host.files());
    host.offer();
    host.outbox->flush();
    CHECK(host.files().size() == 1);
    CHECK(host.outbox->counters().waiting == 1);
}

TEST_CASE("event outbox: without the number's file it goes on behind what waits") {
    Host host;
    host.offer();
    host.offer();
    host.outbox->flush();
    host.outbox.reset();
    std::filesystem::remove(host.folder.path("next-event"));
    host.start();
    host.offer();
    host.outbox->flush();
    REQUIRE(host.files().size() == 3);
    CHECK(host.claims(host.files()[2])["seq"] == 3);
}

TEST_CASE("event outbox: what was lost has numbers, through restarts") {
    Host host;
    host.offer();
    host.outbox.reset(); // killed before it was written
    host.start();
    host.offer();
    host.outbox->flush();
    REQUIRE(host.files().size() == 1);
    CHECK(host.claims(host.files()[0])["seq"] == 2);
}

TEST_CASE("event outbox: it is bounded, refused sessions push out no approved one, and losses are told") {
    Host host;
    for (std::size_t i = 0; i < EventOutbox::kMostEvents; ++i) {
        host.offer("");
        if (i % 100 == 0) host.outbox->flush();
    }
    host.outbox->flush();
    CHECK(host.files().size() == EventOutbox::kMostEvents / 2);
    CHECK(host.outbox->counters().dropped == EventOutbox::kMostEvents / 2);
    host.offer("apr-1");
    host.outbox->flush();
    const auto files = host.files();
    REQUIRE(files.size() == EventOutbox::kMostEvents / 2 + 1);
    CHECK(parse_event_name(files.back())->number ==
          EventOutbox::kMostEvents + 1); // the lost ones had numbers

    host.read_journal();
    host.offer("");
    host.outbox->tick(kNsPerSecond);
    CHECK(host.health.conditions().contains("events"));
    std::string told;
    for (const auto& entry : host.read_journal())
        if (entry.find("ESCORT_EVENT=events_dropped") != std::string::npos) told = entry;
    CHECK(told.find("ESCORT_DROPPED=1\n") != std::string::npos); // the others were told at flush()
    host.offer("");
    host.outbox->tick(2 * kNsPerSecond);
    CHECK(host.read_journal().empty()); // once a minute
    host.outbox->tick(62 * kNsPerSecond);
    CHECK_FALSE(host.read_journal().empty());

    // Whoever else removes them makes room, too, when it is needed.
    for (std::size_t i = 0; i < files.size() / 2; ++i)
        std::filesystem::remove(host.folder.path("outbox/" + files[i]));
    host.offer("");
    host.outbox->tick(123 * kNsPerSecond);
    CHECK(host.outbox->counters().waiting == files.size() - files.size() / 2);
    host.outbox->delivered(files);
    CHECK(host.files().empty());
    host.outbox->tick(124 * kNsPerSecond);
    CHECK_FALSE(host.health.conditions().contains("events"));
    // All of the room is there again.
    for (std::size_t i = 0; i < EventOutbox::kMostUnwritten / 2; ++i)
        host.offer("");
    CHECK(host.outbox->counters().waiting == EventOutbox::kMostUnwritten / 2);
    host.offer("");
    CHECK(host.outbox->counters().waiting == EventOutbox::kMostUnwritten / 2); // not before it is written
}

TEST_CASE("event outbox: bytes are bounded, too") {
    Host host;
    const std::string large(60'000, 'x');
    for (std::size_t i = 0; i < 400; ++i) {
        host.offer(large);
        host.outbox->flush();
    }
    std::size_t bytes = 0;
    for (const auto& file : host.files())
        bytes += std::filesystem::file_size(host.folder.path("outbox/" + file));
    CHECK(bytes <= EventOutbox::kMostBytes);
    CHECK(bytes > EventOutbox::kMostBytes / 2);
    host.offer(std::string(2 * large.size(), 'x')); // more than one event may have: one_line() cuts at 64 KiB
    host.outbox->delivered(host.files());
    host.outbox->flush();
    CHECK(host.files().empty());
}

TEST_CASE("event outbox: what can't be written waits, and says so once") {
    Host host;
    std::filesystem::remove_all(host.folder.path("outbox"));
    host.offer();
    REQUIRE(sd_event_run(host.loop.get(), 0) > 0);
    CHECK(sd_event_run(host.loop.get(), 0) == 0); // it doesn't spin
    CHECK(host.outbox->counters().waiting == 1);
    CHECK(host.health.conditions().contains("events"));
    while (host.receiver.next()) {
    }
    host.offer();
    host.outbox->tick(1);
    CHECK_FALSE(host.receiver.next());
    std::filesystem::create_directory(host.folder.path("outbox"));
    host.outbox->tick(kNsPerSecond);
    CHECK(host.files().size() == 2);
    CHECK_FALSE(host.health.conditions().contains("events"));
    CHECK(host.outbox->counters().dropped == 0);
}

TEST_CASE("event outbox: a folder that comes later") {
    Host host;
    std::filesystem::remove_all(host.folder.path("outbox"));
    host.start();
    CHECK(host.health.conditions().at("events").hint.find("systemd-tmpfiles") != std::string::npos);
    host.offer();
    std::filesystem::create_directory(host.folder.path("outbox"));
    host.outbox->tick(1);
    CHECK(host.files().size() == 1);
    CHECK_FALSE(host.health.conditions().contains("events"));
}

TEST_CASE("event outbox: a key that can't be read is not replaced by another, and is read when it can be") {
    Host host;
    const auto key = read_file(host.folder.path("host.key"), 4096);
    REQUIRE(key);
    host.offer();
    host.outbox->flush();
    host.folder.write("host.key", "no key");
    host.start();
    CHECK(host.outbox->counters().waiting == 1);
    host.outbox->delivered(host.files()); // needs no key
    host.offer();
    host.outbox->tick(1);
    CHECK(host.health.conditions().contains("events"));
    CHECK(host.outbox->key().empty());
    CHECK(host.files().empty());
    CHECK(read_file(host.folder.path("host.key"), 4096) == "no key");
    host.folder.write("host.key", *key);
    host.outbox->tick(2);
    CHECK(host.files().size() == 1);
}
