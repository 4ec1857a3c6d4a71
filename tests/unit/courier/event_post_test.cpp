#include "courier/event_post.h"

#include "temp_folder.h"

#include <cstring>
#include <doctest/doctest.h>
#include <optional>

using namespace escort;
using namespace escort::courier;
using escort::test::TempFolder;

namespace {

using Numbers = std::vector<int>;
using Files = std::vector<std::string>;

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
        post.emplace(EventPost::Ground{loop.get(), folder.path(), "i-0abc", [this] { return random; },
                                       [this](std::vector<OutgoingEvent> events) {
                                           for (auto& event : events)
                                               sent.push_back(std::move(event));
                                       },
                                       [] {}});
        post->start();
        return *post;
    }
    static std::string file(int number) {
        return file_name({static_cast<std::uint64_t>(number), 0x7f3a2c1e, "session_ended"});
    }
    static std::string document(int number) {
        return kDocument + std::string(static_cast<std::size_t>(number), 'A');
    }
    void put(int number) const { put(number, document(number)); }
    void put(int number, const std::string& content) const {
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
    // Which were sent, by their documents' length.
    Numbers numbers() const {
        Numbers all;
        for (const auto& event : sent)
            all.push_back(static_cast<int>(event.document.size() - std::strlen(kDocument)));
        return all;
    }

    TempFolder folder;
    std::unique_ptr<sd_event, UnrefLoop> loop;
    std::optional<EventPost> post;
    std::vector<OutgoingEvent> sent;
    double random = 0;
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
    CHECK(courier.numbers() == Numbers{1, 2});
    CHECK(courier.sent[0].id.starts_with("i-0abc."));
    CHECK(courier.sent[0].id.size() == std::strlen("i-0abc.") + 32);
    CHECK(courier.sent[0].id != courier.sent[1].id);
    CHECK(courier.sent[0].subject == "escort.events.i-0abc.session_ended");
    CHECK(courier.sent[0].document == Courier::document(1));
    CHECK(post.report().delivered.empty());
    courier.accept_all();
    CHECK(post.report().delivered == Files{Courier::file(1), Courier::file(2)});
    CHECK(post.report().sent == 2);
    courier.put(3);
    courier.run();
    CHECK(courier.numbers() == Numbers{3});
    // The daemon has removed it: no word of it any more.
    std::filesystem::remove(courier.folder.path(Courier::file(1)));
    courier.run();
    CHECK(post.report().delivered == Files(1, Courier::file(2)));
}

TEST_CASE("event post: what was refused is sent again, and nothing else, whichever answer comes first") {
    Courier courier;
    for (int number = 1; number <= 3; ++number)
        courier.put(number);
    auto& post = courier.start();
    post.connected();
    REQUIRE(courier.sent.size() == 3);
    post.result(courier.sent[0].id, "no stream\nmatches");
    post.result(courier.sent[1].id, "");
    post.result(courier.sent[2].id, "");
    CHECK(post.report().delivered == Files{Courier::file(2), Courier::file(3)});
    CHECK(post.report().last_error == "no stream?matches");
    courier.sent.clear();
    courier.run(); // the pause is random, and the random number is 0
    CHECK(courier.numbers() == Numbers{1});
    courier.accept_all();
    CHECK(post.report().delivered.size() == 3);
    CHECK(post.report().last_error.empty());
}

TEST_CASE("event post: one that is never taken holds up no other") {
    Courier courier;
    courier.put(1);
    auto& post = courier.start();
    post.connected();
    for (int number = 2; number < 6; ++number) {
        for (const auto& event : std::exchange(courier.sent, {}))
            post.result(event.id, event.document == Courier::document(1) ? "too large" : "");
        courier.put(number);
        courier.run();
        CHECK(courier.numbers() == Numbers{number, 1}); // after what is behind it
    }
    CHECK(post.report().delivered.size() == 3);
}

TEST_CASE("event post: nor do as many as are sent at once") {
    Courier courier;
    const int many = static_cast<int>(EventPost::kAtOnce) + 2;
    for (int number = 1; number <= many; ++number)
        courier.put(number);
    auto& post = courier.start();
    post.connected();
    for (const auto& event : std::exchange(courier.sent, {}))
        post.result(event.id, "message size exceeds maximum allowed");
    courier.run();
    REQUIRE(courier.sent.size() == EventPost::kAtOnce);
    const auto numbers = courier.numbers();
    CHECK(numbers[0] == many - 1);
    CHECK(numbers[1] == many);
    CHECK(numbers[2] == 1);
    for (const auto& event : std::exchange(courier.sent, {}))
        post.result(event.id, event.document.size() > Courier::document(many - 2).size() ? "" : "too large");
    CHECK(post.report().delivered == Files{Courier::file(many - 1), Courier::file(many)});
}

TEST_CASE("event post: an answer that comes after all were given up counts") {
    Courier courier;
    courier.put(1);
    courier.put(2);
    auto& post = courier.start();
    post.connected();
    const auto sent = courier.sent;
    post.result("", "Permissions Violation");
    post.result(sent.at(1).id, "");
    post.result(sent.at(1).id, "");
    CHECK(post.report().sent == 1);
    courier.sent.clear();
    courier.run();
    CHECK(courier.numbers() == Numbers(1, 1));
}

TEST_CASE("event post: while it waits after a failure a new event does not hurry it") {
    Courier courier;
    courier.random = 0.9;
    courier.put(1);
    auto& post = courier.start();
    post.connected();
    post.result("", "Permissions Violation");
    courier.sent.clear();
    courier.put(2);
    courier.run();
    CHECK(courier.sent.empty());
    post.connected(); // that does
    CHECK(courier.numbers() == Numbers{1, 2});
}

TEST_CASE("event post: a connection that is new may have lost what was sent") {
    Courier courier;
    courier.put(1);
    auto& post = courier.start();
    courier.put(9);
    courier.run();
    post.connected();
    post.result(courier.sent.at(1).id, "");
    post.disconnected("the connection is lost");
    CHECK(post.report().delivered == Files(1, Courier::file(9)));
    courier.sent.resize(1);
    CHECK(post.report().last_error == "the connection is lost");
    courier.put(2);
    courier.run();
    CHECK(courier.sent.size() == 1);
    post.connected();
    CHECK(courier.numbers() == Numbers{1, 1, 2});
    CHECK(courier.sent[0].id == courier.sent[1].id);
    post.result("i-0abc.of-another-time", "timeout"); // late: nobody waits for it
    CHECK(post.report().last_error.empty());
    post.result(courier.sent[0].id, "");
    post.result(courier.sent[1].id, "");
    CHECK(post.report().sent == 2);
}

TEST_CASE("event post: so many at once, the others when those have arrived; what is removed is forgotten") {
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
}

TEST_CASE("event post: no more than the report can name, until the daemon has removed some") {
    Courier courier;
    const int many = static_cast<int>(kMostDelivered) + 10;
    for (int number = 1; number <= many; ++number)
        courier.put(number);
    auto& post = courier.start();
    post.connected();
    while (!courier.sent.empty())
        courier.accept_all();
    const auto delivered = post.report().delivered;
    CHECK(delivered.size() <= kMostDelivered);
    CHECK(delivered.size() > kMostDelivered - EventPost::kAtOnce);
    for (const auto& file : delivered)
        std::filesystem::remove(courier.folder.path(file));
    courier.run();
    while (!courier.sent.empty())
        courier.accept_all();
    CHECK(post.report().sent == static_cast<std::uint64_t>(many));
    CHECK(post.report().delivered.size() == static_cast<std::size_t>(many) - delivered.size());
}

TEST_CASE("event post: what is no event is never sent, and the daemon is told to remove it") {
    Courier courier;
    courier.folder.write("README", kDocument);
    courier.put(1, "no signature");
    courier.put(2, "");
    courier.put(3);
    auto& post = courier.start();
    post.connected();
    CHECK(courier.numbers() == Numbers(1, 3));
    CHECK(post.report().last_error.find("is no signed event") != std::string::npos);
    CHECK(post.report().delivered == Files{Courier::file(1), Courier::file(2)});
}

TEST_CASE("event post: of files that are no events it names no more at once than the report may") {
    Courier courier;
    const int many = static_cast<int>(kMostDelivered) + 10;
    for (int number = 1; number <= many; ++number)
        courier.put(number, "x");
    auto& post = courier.start();
    post.connected();
    CHECK(post.report().delivered.size() == kMostDelivered);
    for (const auto& file : post.report().delivered)
        std::filesystem::remove(courier.folder.path(file));
    courier.run();
    CHECK(post.report().delivered.size() == 10);
}

TEST_CASE("event post: what can't be read now is not called delivered") {
    Courier courier;
    std::filesystem::create_symlink("/etc/hostname", courier.folder.path(Courier::file(1)));
    courier.put(2);
    auto& post = courier.start();
    post.connected();
    CHECK(courier.numbers() == Numbers(1, 2));
    courier.accept_all();
    CHECK(post.report().delivered == Files(1, Courier::file(2)));
    CHECK_FALSE(post.report().last_error.empty());
    std::filesystem::remove(courier.folder.path(Courier::file(1)));
    courier.put(1);
    courier.run();
    CHECK(courier.numbers() == Numbers(1, 1));
}

TEST_CASE("event post: a folder that isn't there is told of") {
    Courier courier;
    std::filesystem::remove_all(courier.folder.path());
    CHECK(courier.start().report().last_error.find("systemd-tmpfiles") != std::string::npos);
}

TEST_CASE("event post: a folder that goes is no reason to crash") {
    Courier courier;
    courier.put(1);
    auto& post = courier.start();
    std::filesystem::remove_all(courier.folder.path());
    courier.run();
    post.connected();
    CHECK(courier.sent.empty());
}
