// The doors that the host's admin has shut.
#include "service/local_denials.h"

#include "temp_folder.h"

#include <doctest/doctest.h>

using namespace escort;

TEST_CASE("local denials: shut, kept, opened") {
    const test::TempFolder folder;
    auto denials = LocalDenials::load(folder.path());
    CHECK_FALSE(denials.problem());
    CHECK(denials.set(DenialKind::account, "azsupport", true).value());
    CHECK_FALSE(denials.set(DenialKind::account, "azsupport", true).value());
    CHECK(LocalDenials::load(folder.path()).all().hits_account("azsupport"));
    CHECK(denials.set(DenialKind::account, "azsupport", false).value());
    CHECK_FALSE(LocalDenials::load(folder.path()).all().hits_account("azsupport"));
}

TEST_CASE("local denials: a file that can't be read is told of, and never written over") {
    const test::TempFolder folder;
    for (const std::string text : {"{", R"({"format":2})"}) {
        folder.write("denials.json", text);
        auto denials = LocalDenials::load(folder.path());
        REQUIRE(denials.problem());
        CHECK(denials.problem()->where == folder.path("denials.json"));
        CHECK_FALSE(denials.set(DenialKind::engineer, "eng-1", true));
        CHECK(LocalDenials::load(folder.path()).problem());
    }
}
