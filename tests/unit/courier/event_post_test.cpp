#include "courier/event_post.h"

#include "temp_folder.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace escort;
using namespace escort::courier;
using escort::test::TempFolder;

namespace {

// A header that is a JSON object; whether it is signed is the broker's to see.
constexpr const char* kDocument = "eyJhbGciOiJFZERTQSJ9.e30.AA";

struct UnrefLoop {
    void operator()(sd_event* loop) const { sd_event_unref(loop); }
};

struct Courier {
    Courier() {
        sd_event* made = nullptr;
        REQUIRE(sd_event_new(&made) >= 0);
        loop.reset(made);
    }
    EventPost& start() {
        post.emplace(EventPost::Ground{loop.get(), folder.path(), "i-0abc", [] { return 0.0; },
                                       [this](std::vector<OutgoingEvent> events) {
                                           for (auto& event : events)
                                               sent.push_back(std::move(event));
                                           batches++;
                                       },
                                       [] {}});
        post->start();
        return *post;
    }
    static std::string file(int number) {
        return file_name({1767225600, 0x7f3a2c1e, static_cast<std::uint64_t>(number), "session_ended"});
    }
    void put(int number, const std::string& content = kDocument) const {
        folder.write("." + file(number), content);
        std::filesystem::rename(folder.path("." + file(number)), folder.path(file(number)));
    }
    void run() const {
        while (sd_event_run(loop.get(), 20'000) > 0) {
        }
    }
    void accept_all() {
        for (const auto& event : std::exchange(sent, {}))
            post->result(event.id, "");
    }

    TempFolder folder;
    std::unique_ptr<sd_event, UnrefLoop> loop;
    std::optional<EventPost> post;
    std::vector<OutgoingEvent> sent;
    int batches = 0;
};

} // namespace

TEST_CASE(
    "event post: what waits is sent in its order once there is a connection, and each new one at once") {
    Courier courier;
    courier.put(2);
    courier.put(1);
    auto& post = courier.start();
    CHECK(courier.sent.empty());
    post.connected();
    REQUIRE(courier.sent.size() == 2);
    CHECK(courier.sent[0].id == "i-0abc.7f3a2c1e-e1");
    CHECK(courier.sent[0].subject == "escort.events.i-0abc.session_ended");
    CHECK(courier.sent[0].document == kDocument);
    CHECK(post.report().delivered.empty());
    courier.accept_all();
    CHECK(post.report().delivered == Courier::file(2));
    CHECK(post.report().sent == 2);
    courier.put(3);
    courier.run();
    REQUIRE(courier.sent.size() == 1);
    CHECK(courier.sent[0].id == "i-0abc.7f3a2c1e-e3");
}

TEST_CASE(
    "event post: what was refused is sent again, what had arrived is not, and the report waits for all") {
    Courier courier;
    for (int number = 1; number <= 3; ++number)
        courier.put(number);
    auto& post = courier.start();
    post.connected();
    REQUIRE(courier.sent.size() == 3);
    post.result(courier.sent[0].id, "");
    post.result(courier.sent[2].id, "");
    post.result(courier.sent[1].id, "no stream\nmatches");
    CHECK(post.report().delivered.empty());
    CHECK(post.report().last_error == "no stream?matches");
    courier.sent.clear();
    courier.run(); // the backoff's random number is 0
    REQUIRE(courier.sent.size() == 1);
    CHECK(courier.sent[0].id == "i-0abc.7f3a2c1e-e2");
    courier.accept_all();
    CHECK(post.report().delivered == Courier::file(3));
    CHECK(post.report().last_error.empty());
}

TEST_CASE("event post: while it waits after a failure a new event does not hurry it") {
    Courier courier;
    courier.put(1);
    auto& post = courier.start();
    post.connected();
    post.result("", "Permissions Violation");
    const int before = courier.batches;
    courier.put(2);
    // One turn: the folder's change, not yet the alarm.
    CHECK(courier.batches == before);
    courier.run();
    CHECK(courier.batches == before + 1);
    CHECK(courier.sent.size() == 3);
}

TEST_CASE("event post: a connection that is new may have lost what was sent") {
    Courier courier;
    courier.put(1);
    auto& post = courier.start();
    post.connected();
    post.connected();
    REQUIRE(courier.sent.size() == 2);
    CHECK(courier.sent[0].id == courier.sent[1].id);
    post.result(courier.sent[0].id, "");
    post.result(courier.sent[1].id, ""); // late: nobody waits for it
    CHECK(post.report().sent == 1);
}

TEST_CASE(
    "event post: so many at once, the others when those have arrived; what the daemon removes is forgotten") {
    Courier courier;
    const int many = static_cast<int>(EventPost::kAtOnce) + 5;
    for (int number = 1; number <= many; ++number)
        courier.put(number);
    auto& post = courier.start();
    post.connected();
    CHECK(courier.sent.size() == EventPost::kAtOnce);
    std::filesystem::remove(courier.folder.path(Courier::file(many)));
    courier.run();
    courier.accept_all();
    CHECK(courier.sent.size() == 4);
    courier.accept_all();
    CHECK(post.report().delivered == Courier::file(many - 1));
}

TEST_CASE("event post: what is no event of ours is never sent") {
    Courier courier;
    courier.folder.write("README", kDocument);
    courier.put(1, "no signature");
    std::filesystem::create_symlink("/etc/hostname", courier.folder.path(Courier::file(2)));
    courier.put(3);
    auto& post = courier.start();
    post.connected();
    REQUIRE(courier.sent.size() == 1);
    CHECK(courier.sent[0].id == "i-0abc.7f3a2c1e-e3");
    CHECK_FALSE(post.report().last_error.empty());
    courier.accept_all();
    CHECK(post.report().delivered == Courier::file(3));
}

TEST_CASE("event post: a folder that isn't there is told of") {
    Courier courier;
    std::filesystem::remove_all(courier.folder.path());
    CHECK(courier.start().report().last_error.find("systemd-tmpfiles") != std::string::npos);
}
