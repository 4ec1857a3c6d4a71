// The logind client against a real bus and a login1 of the test's own.
#include "logind/client.h"

#include "logind/private_bus.h"

#include <algorithm>
#include <list>

using namespace escort;

namespace {

constexpr const char* kPath = "/org/freedesktop/login1";
constexpr const char* kSessionPaths = "/org/freedesktop/login1/session";

struct FakeSession {
    std::string id, name, scope, tty, remote_host;
    std::uint32_t uid = 0, leader = 0, audit = 0;
    std::string object() const { return std::string(kSessionPaths) + "/_" + id; }
};

// As org.freedesktop.login1(5) has it, as far as the client asks.
class FakeLogin1 {
  public:
    explicit FakeLogin1(const PrivateBus& on) : bus_(serve(on, "org.freedesktop.login1")) {
        static const sd_bus_vtable kManager[] = {
            SD_BUS_VTABLE_START(0),
            SD_BUS_METHOD("ListSessions", "", "a(susso)", list, SD_BUS_VTABLE_UNPRIVILEGED),
            SD_BUS_VTABLE_END};
        static const sd_bus_vtable kSession[] = {SD_BUS_VTABLE_START(0),
                                                 SD_BUS_PROPERTY("Id", "s", text, 0, 0),
                                                 SD_BUS_PROPERTY("User", "(uo)", user, 0, 0),
                                                 SD_BUS_PROPERTY("Name", "s", text, 0, 0),
                                                 SD_BUS_PROPERTY("Timestamp", "t", time, 0, 0),
                                                 SD_BUS_PROPERTY("VTNr", "u", number, 0, 0),
                                                 SD_BUS_PROPERTY("TTY", "s", text, 0, 0),
                                                 SD_BUS_PROPERTY("Remote", "b", flag, 0, 0),
                                                 SD_BUS_PROPERTY("RemoteHost", "s", text, 0, 0),
                                                 SD_BUS_PROPERTY("Service", "s", text, 0, 0),
                                                 SD_BUS_PROPERTY("Scope", "s", text, 0, 0),
                                                 SD_BUS_PROPERTY("Leader", "u", number, 0, 0),
                                                 SD_BUS_PROPERTY("Audit", "u", number, 0, 0),
                                                 SD_BUS_PROPERTY("State", "s", text, 0, 0),
                                                 SD_BUS_VTABLE_END};
        REQUIRE(sd_bus_add_object_vtable(bus_.get(), nullptr, kPath, "org.freedesktop.login1.Manager",
                                         kManager, this) >= 0);
        REQUIRE(sd_bus_add_fallback_vtable(bus_.get(), nullptr, kSessionPaths,
                                           "org.freedesktop.login1.Session", kSession, find, this) >= 0);
    }

    void announce(const char* signal, const FakeSession& session) {
        REQUIRE(sd_bus_emit_signal(bus_.get(), kPath, "org.freedesktop.login1.Manager", signal, "so",
                                   session.id.c_str(), session.object().c_str()) >= 0);
    }
    void begin(FakeSession session) {
        sessions.push_back(std::move(session));
        announce("SessionNew", sessions.back());
    }
    void end(const std::string& id) {
        const auto found =
            std::find_if(sessions.begin(), sessions.end(), [&](const auto& each) { return each.id == id; });
        announce("SessionRemoved", *found);
        sessions.erase(found);
    }

    std::list<FakeSession> sessions;
    std::uint64_t since = 1'767'225'600;

  private:
    static int list(sd_bus_message* call, void* self, sd_bus_error*) {
        sd_bus_message* reply = nullptr;
        sd_bus_message_new_method_return(call, &reply);
        sd_bus_message_open_container(reply, 'a', "(susso)");
        for (const auto& each : static_cast<FakeLogin1*>(self)->sessions)
            sd_bus_message_append(reply, "(susso)", each.id.c_str(), each.uid, each.name.c_str(), "",
                                  each.object().c_str());
        sd_bus_message_close_container(reply);
        const int sent = sd_bus_send(nullptr, reply, nullptr);
        sd_bus_message_unref(reply);
        return sent;
    }
    static int find(sd_bus*, const char* path, const char*, void* self, void** found, sd_bus_error*) {
        for (auto& each : static_cast<FakeLogin1*>(self)->sessions) {
            if (each.object() != path) continue;
            *found = &each;
            current_since = static_cast<FakeLogin1*>(self)->since;
            return 1;
        }
        return 0;
    }
    static int text(sd_bus*, const char*, const char*, const char* name, sd_bus_message* reply, void* session,
                    sd_bus_error*) {
        const auto& of = *static_cast<FakeSession*>(session);
        const std::string what = name;
        const std::string value = what == "Id"           ? of.id
                                  : what == "Name"       ? of.name
                                  : what == "TTY"        ? of.tty
                                  : what == "RemoteHost" ? of.remote_host
                                  : what == "Scope"      ? of.scope
                                  : what == "Service"    ? "sshd"
                                                         : "opening";
        return sd_bus_message_append(reply, "s", value.c_str());
    }
    static int number(sd_bus*, const char*, const char*, const char* name, sd_bus_message* reply,
                      void* session, sd_bus_error*) {
        const auto& of = *static_cast<FakeSession*>(session);
        const std::string what = name;
        return sd_bus_message_append(reply, "u",
                                     what == "Leader"  ? of.leader
                                     : what == "Audit" ? of.audit
                                                       : 7U);
    }
    static int user(sd_bus*, const char*, const char*, const char*, sd_bus_message* reply, void* session,
                    sd_bus_error*) {
        return sd_bus_message_append(reply, "(uo)", static_cast<FakeSession*>(session)->uid,
                                     "/org/freedesktop/login1/user/_1001");
    }
    static int time(sd_bus*, const char*, const char*, const char*, sd_bus_message* reply, void*,
                    sd_bus_error*) {
        return sd_bus_message_append(reply, "t", current_since * 1'000'000);
    }
    static int flag(sd_bus*, const char*, const char*, const char*, sd_bus_message* reply, void*,
                    sd_bus_error*) {
        return sd_bus_message_append(reply, "b", 1);
    }

    static inline std::uint64_t current_since = 0;
    TestBus bus_;
};

FakeSession fake(const std::string& id, std::uint32_t leader) {
    return {id, "azsupport", "session-" + id + ".scope", "pts/3", "203.0.113.7", 1001, leader, 30 + leader};
}

struct Watched {
    explicit Watched(PrivateBus& on) : bus(on.loop(), options(on)), client(bus) {
        client.on_new = [this](const LoginSession& session) { heard.push_back("+" + session.id); };
        client.on_removed = [this](const LoginSession& session) { heard.push_back("-" + session.id); };
        client.on_error = [this](const Error& error) { errors.push_back(error.text()); };
    }
    static BusOptions options(const PrivateBus& on) {
        BusOptions options;
        options.address = on.address();
        options.first_retry = std::chrono::milliseconds(20);
        options.longest_retry = std::chrono::milliseconds(100);
        return options;
    }
    Bus bus;
    LogindClient client;
    std::vector<std::string> heard, errors;
};

using Words = std::vector<std::string>;

} // namespace

TEST_CASE("logind: sessions that were there, that come, that go") {
    PrivateBus on;
    on.start();
    FakeLogin1 login1(on);
    login1.sessions = {fake("1", 100), fake("c2", 200)};
    Watched watched(on);
    watched.bus.start();
    REQUIRE(on.until([&] { return watched.client.ready(); }));
    CHECK(watched.heard == Words{"+1", "+c2"});

    login1.begin(fake("3", 300));
    REQUIRE(on.until([&] { return watched.client.find("3") != nullptr; }));
    const LoginSession& session = *watched.client.find("3");
    CHECK(session.uid == 1001);
    CHECK(session.user == "azsupport");
    CHECK(session.leader == 300);
    CHECK(session.audit_session == 330);
    CHECK(session.scope == "session-3.scope");
    CHECK(session.tty == "pts/3");
    CHECK(session.remote);
    CHECK(session.remote_host == "203.0.113.7");
    CHECK(session.service == "sshd");
    CHECK(session.state == "opening");
    CHECK(session.since == 1'767'225'600);
    CHECK(watched.client.by_leader(300) == &session);
    CHECK(watched.client.by_audit(330) == &session);
    CHECK(watched.client.by_scope("session-3.scope") == &session);
    CHECK(watched.client.by_audit(0) == nullptr);
    CHECK(watched.client.by_leader(301) == nullptr);

    login1.end("1");
    REQUIRE(on.until([&] { return watched.client.find("1") == nullptr; }));
    CHECK(watched.heard == Words{"+1", "+c2", "+3", "-1"});
    CHECK(watched.errors.empty());
}

TEST_CASE("logind: one that has ended before its facts came is never told of") {
    PrivateBus on;
    on.start();
    FakeLogin1 login1(on);
    Watched watched(on);
    watched.bus.start();
    REQUIRE(on.until([&] { return watched.client.ready(); }));
    login1.begin(fake("1", 100));
    login1.end("1"); // nobody answers for it any more
    login1.begin(fake("2", 200));
    login1.announce("SessionRemoved", login1.sessions.back()); // its facts come all the same
    login1.begin(fake("3", 300));
    REQUIRE(on.until([&] { return watched.client.find("3") != nullptr; }));
    CHECK(watched.heard == Words{"+3"});
}

TEST_CASE("logind: no bus, then one without logind, then logind") {
    PrivateBus on;
    Watched watched(on);
    watched.bus.start();
    on.run_for(50'000'000);
    CHECK_FALSE(watched.bus.up());
    on.start();
    REQUIRE(on.until([&] { return watched.bus.up(); }));
    REQUIRE(on.until([&] { return !watched.errors.empty(); })); // nobody answers ListSessions
    CHECK_FALSE(watched.client.ready());
    FakeLogin1 login1(on);
    login1.sessions = {fake("1", 100)};
    REQUIRE(on.until([&] { return watched.client.ready(); }));
    CHECK(watched.heard == Words{"+1"});
}

TEST_CASE("logind: the bus is started again: what changed meanwhile is told, and nothing else") {
    PrivateBus on;
    on.start();
    auto login1 = std::make_unique<FakeLogin1>(on);
    login1->sessions = {fake("1", 100), fake("2", 200), fake("c3", 300)};
    Watched watched(on);
    watched.bus.start();
    REQUIRE(on.until([&] { return watched.client.ready(); }));
    watched.heard.clear();

    for (int restart = 0; restart < 2; ++restart) {
        on.stop();
        REQUIRE(on.until([&] { return !watched.bus.up(); }));
        CHECK_FALSE(watched.client.ready());
        CHECK(watched.client.find("2") != nullptr); // kept
        on.run_for(200'000'000);                    // some tries in vain
        on.start();
        login1.reset();
        login1 = std::make_unique<FakeLogin1>(on);
        // 1 has gone, c3 is another session's now, 4 has come.
        login1->sessions = {fake("2", 200), fake("c3", 301), fake("4", 400)};
        REQUIRE(on.until([&] { return watched.client.ready(); }));
        auto heard = watched.heard;
        std::sort(heard.begin(), heard.end());
        std::string joined;
        for (const auto& each : heard)
            joined += each;
        CHECK(joined == (restart == 0 ? "+4+c3-1-c3" : ""));
        CHECK(watched.client.sessions().size() == 3);
        watched.heard.clear();
    }
    login1->begin(fake("5", 500)); // subscribed again
    REQUIRE(on.until([&] { return watched.client.find("5") != nullptr; }));
}

TEST_CASE("logind: a bus that hangs holds nobody up") {
    PrivateBus on;
    on.start();
    FakeLogin1 login1(on);
    Watched watched(on);
    on.hold(true);
    const auto begin = boot_ns();
    watched.bus.start();
    on.run_for(50'000'000);
    CHECK(boot_ns() - begin < 1'000'000'000);
    CHECK_FALSE(watched.bus.up());
    on.hold(false);
    CHECK(on.until([&] { return watched.client.ready(); }));
}

TEST_CASE("logind: another who calls himself logind by his signals is not heard") {
    PrivateBus on;
    on.start();
    FakeLogin1 login1(on);
    Watched watched(on);
    watched.bus.start();
    REQUIRE(on.until([&] { return watched.client.ready(); }));
    const auto liar = serve(on, "org.example.liar");
    REQUIRE(sd_bus_emit_signal(liar.get(), kPath, "org.freedesktop.login1.Manager", "SessionNew", "so", "9",
                               "/org/freedesktop/login1/session/_9") >= 0);
    on.run_for(100'000'000);
    CHECK(watched.errors.empty());
    login1.begin(fake("1", 100));
    REQUIRE(on.until([&] { return watched.client.find("1") != nullptr; }));
    CHECK(watched.heard == Words{"+1"});
}
