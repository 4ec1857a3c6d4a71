// Masks of user@UID.service: exactly those that are asked for, and only ours removed.
#include "logind/user_managers.h"

#include "base/file.h"
#include "logind/private_bus.h"
#include "temp_folder.h"

#include <fmt/format.h>
#include <map>

using namespace escort;
namespace fs = std::filesystem;

namespace {

struct Folder {
    Folder() { fs::create_directory(path + "/units"); }

    UserManagerPaths paths() const { return {path + "/units", path + "/record"}; }
    std::string unit(int uid) const { return fmt::format("{}/units/user@{}.service", path, uid); }
    // "1001 1002": units that are masked.
    std::string masked() const {
        std::string found;
        std::map<std::string, bool> sorted;
        for (const auto& entry : fs::directory_iterator(path + "/units"))
            if (fs::is_symlink(entry.path()) && fs::read_symlink(entry.path()) == "/dev/null")
                sorted[entry.path().filename().string()];
        for (const auto& [name, ignored] : sorted)
            found += (found.empty() ? "" : " ") + name.substr(5, name.find('.') - 5);
        return found;
    }
    escort::test::TempFolder folder;
    std::string path = folder.path();
};

// PID 1's side: what it has loaded, and what it is asked to do.
class FakeSystemd {
  public:
    explicit FakeSystemd(const PrivateBus& on) : bus_(serve(on, "org.freedesktop.systemd1")) {
        static const sd_bus_vtable kManager[] = {
            SD_BUS_VTABLE_START(0),
            SD_BUS_METHOD("ListUnitsByPatterns", "asas", "a(ssssssouso)", list, SD_BUS_VTABLE_UNPRIVILEGED),
            SD_BUS_METHOD("Reload", "", "", reload, SD_BUS_VTABLE_UNPRIVILEGED),
            SD_BUS_METHOD("StopUnit", "ss", "o", stop, SD_BUS_VTABLE_UNPRIVILEGED), SD_BUS_VTABLE_END};
        REQUIRE(sd_bus_add_object_vtable(bus_.get(), nullptr, "/org/freedesktop/systemd1",
                                         "org.freedesktop.systemd1.Manager", kManager, this) >= 0);
    }
    std::map<std::string, std::pair<std::string, std::string>> units; // name, load and active state
    std::string asked;                                                // "list reload stop(...)"

  private:
    static int list(sd_bus_message* call, void* self, sd_bus_error*) {
        auto& systemd = *static_cast<FakeSystemd*>(self);
        systemd.asked += "list ";
        sd_bus_message* reply = nullptr;
        sd_bus_message_new_method_return(call, &reply);
        sd_bus_message_open_container(reply, 'a', "(ssssssouso)");
        for (const auto& [name, state] : systemd.units)
            sd_bus_message_append(reply, "(ssssssouso)", name.c_str(), "", state.first.c_str(),
                                  state.second.c_str(), "", "", "/", 0U, "", "/");
        sd_bus_message_close_container(reply);
        const int sent = sd_bus_send(nullptr, reply, nullptr);
        sd_bus_message_unref(reply);
        return sent;
    }
    static int reload(sd_bus_message* call, void* self, sd_bus_error*) {
        static_cast<FakeSystemd*>(self)->asked += "reload ";
        return sd_bus_reply_method_return(call, "");
    }
    static int stop(sd_bus_message* call, void* self, sd_bus_error*) {
        const char *unit = nullptr, *mode = nullptr;
        sd_bus_message_read(call, "ss", &unit, &mode);
        static_cast<FakeSystemd*>(self)->asked += fmt::format("stop({},{}) ", unit, mode);
        return sd_bus_reply_method_return(call, "o", "/");
    }
    TestBus bus_;
};

} // namespace

TEST_CASE("user managers: exactly these are masked, and the next agent knows which are its own") {
    const Folder folder;
    PrivateBus on; // never started
    {
        Bus bus(on.loop());
        UserManagers managers(bus, folder.paths());
        REQUIRE(managers.set({0, 1001, 1002}));
        CHECK(folder.masked() == "1001 1002"); // never root's
        REQUIRE(managers.set({1002, 1003}));
        CHECK(folder.masked() == "1002 1003");
    }
    CHECK(folder.masked() == "1002 1003"); // they stay
    {
        Bus bus(on.loop());
        UserManagers managers(bus, folder.paths());
        REQUIRE(managers.set({1003}));
        CHECK(folder.masked() == "1003");
        fs::remove(folder.unit(1003)); // somebody took it away
        REQUIRE(managers.set({1003}));
        CHECK(folder.masked() == "1003");
    }
    REQUIRE(UserManagers::remove_all(folder.paths()));
    CHECK(folder.masked().empty());
    CHECK_FALSE(fs::exists(folder.path + "/record"));
}

TEST_CASE("user managers: what others put there is theirs") {
    const Folder folder;
    fs::create_symlink("/dev/null", folder.unit(1001)); // the admin's own mask
    std::ofstream(folder.unit(1002)) << "[Service]\n";  // and unit
    PrivateBus on;
    Bus bus(on.loop());
    UserManagers managers(bus, folder.paths());
    REQUIRE(managers.set({1001, 1002, 1003}));
    CHECK(folder.masked() == "1001 1003");
    REQUIRE(managers.set({}));
    CHECK(folder.masked() == "1001");
    CHECK(fs::file_size(folder.unit(1002)) > 0);

    // A mask of ours that was replaced since.
    REQUIRE(managers.set({1003}));
    fs::remove(folder.unit(1003));
    std::ofstream(folder.unit(1003)) << "[Service]\n";
    REQUIRE(managers.set({}));
    CHECK(fs::file_size(folder.unit(1003)) > 0);
}

TEST_CASE("user managers: a mask that can't be made or recorded is an error") {
    const Folder folder;
    PrivateBus on;
    Bus bus(on.loop());
    auto paths = folder.paths();
    paths.record = folder.path + "/missing/record";
    UserManagers nowhere(bus, paths);
    CHECK_FALSE(nowhere.set({1001}));
    CHECK(folder.masked().empty()); // never one that isn't recorded
    paths = folder.paths();
    paths.units = folder.path + "/missing";
    UserManagers no_units(bus, paths);
    CHECK_FALSE(no_units.set({1001}));
}

TEST_CASE("user managers: PID 1 is asked to reload only for units that it has loaded otherwise") {
    const Folder folder;
    PrivateBus on;
    on.start();
    FakeSystemd systemd(on);
    BusOptions options;
    options.address = on.address();
    Bus bus(on.loop(), options);
    UserManagers managers(bus, folder.paths());
    std::string errors;
    managers.on_error = [&](const Error& error) { errors += error.text(); };
    systemd.units = {{"user@1001.service", {"loaded", "active"}}, {"user@500.service", {"loaded", "active"}}};
    const auto asked = [&](const std::string& all) {
        const bool seen = on.until([&] { return systemd.asked == all; });
        CHECK(systemd.asked == all);
        on.run_for(30'000'000);
        systemd.asked.clear();
        return seen;
    };

    REQUIRE(managers.set({1001})); // before there is a bus
    bus.start();
    CHECK(asked("list reload stop(user@1001.service,replace) "));

    systemd.units["user@1001.service"] = {"masked", "inactive"};
    REQUIRE(managers.set({1001, 1002})); // 1002 isn't loaded
    CHECK(asked("list "));
    REQUIRE(managers.set({1002})); // 1001 is, as masked
    CHECK(asked("list reload "));
    systemd.units["user@1002.service"] = {"masked", "active"}; // one that survived a failed stop
    REQUIRE(managers.set({1002}));
    CHECK(asked("list stop(user@1002.service,replace) "));
    CHECK(errors.empty());
}
