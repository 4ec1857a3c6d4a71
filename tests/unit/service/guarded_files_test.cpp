#include "service/guarded_files.h"

#include <doctest/doctest.h>
#include <set>
#include <string>

using namespace escort;

TEST_CASE("guarded files: all of a folder, or those that are named") {
    for (const auto& folder : guarded_folders()) {
        CAPTURE(folder.path);
        const bool all = folder.names.empty();
        CHECK(folder.guards("anything") == all);
        for (const auto name : folder.names)
            CHECK(folder.guards(name));
    }
}

TEST_CASE("guarded files: a folder once, without a slash at its end") {
    std::set<std::string> seen;
    for (const auto& folder : guarded_folders()) {
        CHECK(seen.insert(folder.path).second);
        CHECK_FALSE(std::string(folder.path).ends_with('/'));
    }
    CHECK(seen.contains("/etc/cron.d"));
}
