#include "policy/keeper.h"

#include "policy/complaints.h"
#include "temp_folder.h"

#include <doctest/doctest.h>

using namespace escort;
using namespace escort::test;

namespace {

std::string policy(const std::string& name) {
    return "version: 1\npolicy: " + name + "\nprincipals: {users: [" + name +
           "]}\nrequire: {admission: window}\n";
}

std::string names_of(const PolicySet& set) {
    std::string names;
    for (const auto& one : set.policies)
        names += one.name + " ";
    return names;
}

std::size_t files_in(const std::string& folder) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        count += entry.is_regular_file() ? 1U : 0U;
    return count;
}

struct Fixture {
    TempFolder policies;
    TempFolder state;

    // A daemon that has just started: nothing in memory.
    [[nodiscard]] LoadedPolicies after_reboot() const {
        return PolicyKeeper(state.path()).reload(policies.path());
    }
};

} // namespace

TEST_CASE("keeper: a good set is in force and kept, a refused one leaves it, across reboots") {
    const Fixture f;
    f.policies.write("10.yaml", policy("a"));
    f.policies.write("20.yaml", policy("b"));
    PolicyKeeper keeper(f.state.path());
    const auto first = keeper.reload(f.policies.path());
    CHECK(first.origin == PolicyOrigin::fresh);
    CHECK(names_of(first.set) == "a b ");
    CHECK(all_of(first.diagnostics) == "");

    f.policies.write("20.yaml", "version: 2\n");
    for (const auto& loaded : {keeper.reload(f.policies.path()), f.after_reboot(), f.after_reboot()}) {
        CHECK(loaded.origin == PolicyOrigin::kept);
        CHECK(names_of(loaded.set) == "a b ");
        CHECK(loaded.set.sha256 == first.set.sha256);
        CHECK(all_of(loaded.diagnostics)
                  .starts_with(f.policies.path("20.yaml") + ":1:10: error: version 2 is not"));
        CHECK(loaded.set.policies[0].place.file.starts_with(f.state.path("policies/")));
        CHECK(loaded.set.policies[0].place.file.ends_with("-10.yaml"));
    }

    f.policies.write("20.yaml", policy("c"));
    CHECK(names_of(f.after_reboot().set) == "a c ");
    CHECK(files_in(f.state.path("policies")) == 3); // two copies and the manifest
}

TEST_CASE("keeper: an empty folder is fine at first, and refused once a set was in force") {
    const Fixture f;
    const auto at_first = f.after_reboot();
    CHECK(at_first.origin == PolicyOrigin::fresh);
    CHECK(at_first.diagnostics.empty());
    CHECK(f.after_reboot().origin == PolicyOrigin::fresh);

    f.policies.write("10.yaml", policy("a"));
    CHECK(f.after_reboot().origin == PolicyOrigin::fresh);
    std::filesystem::remove(f.policies.path("10.yaml"));
    const auto refused = f.after_reboot();
    CHECK(refused.origin == PolicyOrigin::kept);
    CHECK(names_of(refused.set) == "a ");
    CHECK(all_of(refused.diagnostics) ==
          f.policies.path() +
              ": error: no policy files: the last good set stays in force (a file with version: 1 and "
              "allow_empty: true says that no policy is meant)");

    f.policies.write("00.yaml", "version: 1\nallow_empty: true\n");
    CHECK(f.after_reboot().origin == PolicyOrigin::fresh);
    std::filesystem::remove(f.policies.path("00.yaml"));
    CHECK(f.after_reboot().origin == PolicyOrigin::fresh); // from no policy to no policy
}

TEST_CASE("keeper: with nothing kept a refused set leaves nobody governed, and says why") {
    const Fixture f;
    f.policies.write("10.yaml", "[");
    const auto loaded = f.after_reboot();
    CHECK(loaded.origin == PolicyOrigin::none);
    CHECK(loaded.set.policies.empty());
    CHECK(has_errors(loaded.diagnostics));
    CHECK_FALSE(std::filesystem::exists(f.state.path("policies")));
}

TEST_CASE("keeper: a folder that is gone is refused") {
    const Fixture f;
    f.policies.write("10.yaml", policy("a"));
    PolicyKeeper keeper(f.state.path());
    CHECK(keeper.reload(f.policies.path()).origin == PolicyOrigin::fresh);
    const auto loaded = keeper.reload(f.policies.path("gone"));
    CHECK(loaded.origin == PolicyOrigin::kept);
    CHECK(names_of(loaded.set) == "a ");
}

TEST_CASE("keeper: a preview keeps nothing") {
    const Fixture f;
    PolicyKeeper keeper(f.state.path());
    f.policies.write("10.yaml", policy("a"));
    CHECK(keeper.reload(f.policies.path()).origin == PolicyOrigin::fresh);
    f.policies.write("10.yaml", policy("b"));
    CHECK(names_of(keeper.preview(f.policies.path()).set) == "b ");
    f.policies.write("10.yaml", "]");
    CHECK(names_of(keeper.preview(f.policies.path()).set) == "a ");
}

TEST_CASE("keeper: a state that can't be trusted is refused, and said to be") {
    const Fixture f;
    f.policies.write("10.yaml", policy("a"));
    PolicyKeeper keeper(f.state.path());
    CHECK(keeper.reload(f.policies.path()).origin == PolicyOrigin::fresh);
    const std::string manifest = f.state.path("policies/manifest.json");
    std::string why;
    SUBCASE("a newer format") {
        f.state.write("policies/manifest.json", R"({"format": 2, "files": []})");
        why = manifest + ": error: format 2 is not known to this version, which knows 1";
    }
    SUBCASE("a damaged manifest") {
        f.state.write("policies/manifest.json", "{");
        why = manifest + ": error: is damaged: ";
    }
    SUBCASE("a format that only looks like this one") {
        f.state.write("policies/manifest.json", R"({"format": 1.5, "files": []})");
        why = manifest + ": error: is damaged: ";
    }
    SUBCASE("a manifest that points elsewhere") {
        f.state.write("policies/manifest.json",
                      R"({"format": 1, "files": [{"name": "x", "copy": "../x", "sha256": "0"}]})");
        why = manifest + ": error: is damaged: it names a file elsewhere";
    }
    SUBCASE("a copy that was changed") {
        for (const auto& entry : std::filesystem::directory_iterator(f.state.path("policies")))
            if (entry.path().extension() == ".yaml")
                f.state.write("policies/" + entry.path().filename().string(), policy("b"));
        why = ": error: was changed since it was kept";
    }
    SUBCASE("a copy that is gone") {
        for (const auto& entry : std::filesystem::directory_iterator(f.state.path("policies")))
            if (entry.path().extension() == ".yaml") std::filesystem::remove(entry.path());
        why = ": error: open: No such file or directory";
    }
    f.policies.write("10.yaml", "]");
    const auto rebooted = f.after_reboot();
    CHECK(rebooted.origin == PolicyOrigin::none);
    CHECK(all_of(rebooted.diagnostics).find(why) != std::string::npos);
    const auto running = keeper.reload(f.policies.path());
    CHECK(running.origin == PolicyOrigin::kept); // the running daemon still knows
    CHECK(names_of(running.set) == "a ");

    // Whether a set was in force can't be told: an empty folder is then no reason to govern nobody.
    std::filesystem::remove(f.policies.path("10.yaml"));
    CHECK(f.after_reboot().origin == PolicyOrigin::none);
    CHECK(has_errors(f.after_reboot().diagnostics));

    f.policies.write("10.yaml", policy("c"));
    CHECK(f.after_reboot().origin == PolicyOrigin::fresh);
    f.policies.write("10.yaml", "]");
    CHECK(names_of(f.after_reboot().set) == "c ");
}

TEST_CASE("keeper: what was made of the kept files is written over") {
    const Fixture f;
    f.policies.write("10.yaml", policy("a"));
    PolicyKeeper keeper(f.state.path());
    CHECK(keeper.keep_again()); // nothing to write yet
    CHECK_FALSE(std::filesystem::exists(f.state.path("policies")));
    const auto first = keeper.reload(f.policies.path());
    f.policies.write("10.yaml", "]");
    // With the fresh set's files in memory, then with the kept one's.
    for (int round = 0; round < 2; ++round) {
        std::filesystem::remove_all(f.state.path("policies"));
        f.state.write("policies", "what somebody has put there");
        CHECK_FALSE(keeper.keep_again());
        std::filesystem::remove(f.state.path("policies"));
        REQUIRE(keeper.keep_again());
        const auto rebooted = f.after_reboot();
        CHECK(rebooted.origin == PolicyOrigin::kept);
        CHECK(rebooted.set.sha256 == first.set.sha256);
        CHECK(keeper.reload(f.policies.path()).origin == PolicyOrigin::kept);
    }
}

TEST_CASE("keeper: a set that can't be kept is in force all the same, with a warning") {
    const Fixture f;
    f.policies.write("10.yaml", policy("a"));
    f.state.write("policies", "a file where the folder should be");
    PolicyKeeper keeper(f.state.path());
    const auto loaded = keeper.reload(f.policies.path());
    CHECK(loaded.origin == PolicyOrigin::fresh);
    REQUIRE(loaded.diagnostics.size() == 1);
    CHECK(loaded.diagnostics[0].severity == Severity::warning);
    f.policies.write("10.yaml", "]");
    CHECK(names_of(keeper.reload(f.policies.path()).set) == "a ");
}
