#include "courier/handover.h"

#include "temp_folder.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>

using namespace escort;
using namespace escort::courier;
using escort::test::TempFolder;

namespace {

std::vector<std::string> names(const TempFolder& folder) {
    std::vector<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
        all.push_back(entry.path().filename().string());
    std::sort(all.begin(), all.end());
    return all;
}

std::string content(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

} // namespace

TEST_CASE("handover: a document appears whole, once, readable by its owner and the daemon alone") {
    const TempFolder spool;
    Handover handover(spool.path());
    REQUIRE(handover.open());
    const auto put = handover.put("a.b.c", Handover::Durable::yes);
    REQUIRE(put);
    CHECK(*put);
    const auto there = names(spool);
    REQUIRE(there.size() == 1);
    CHECK(there[0].starts_with("courier-"));
    CHECK(there[0].ends_with(".jws"));
    CHECK(content(spool.path(there[0])) == "a.b.c");
    struct stat info {};
    REQUIRE(::stat(spool.path(there[0]).c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);

    std::filesystem::remove(spool.path(there[0])); // the daemon has taken it
    const auto again = handover.put("a.b.c", Handover::Durable::no);
    REQUIRE(again);
    CHECK_FALSE(*again);
    CHECK(names(spool).empty());
    // What was not on the disk for certain is put again, for a sender that will forget it.
    REQUIRE(*handover.put("d.e.f", Handover::Durable::no));
    CHECK(*handover.put("d.e.f", Handover::Durable::yes));
    CHECK_FALSE(*handover.put("d.e.f", Handover::Durable::yes));
    CHECK(names(spool).size() == 1);
}

TEST_CASE("handover: what a killed courier left half-written goes, what it had handed over stays") {
    const TempFolder spool;
    spool.write(".courier-0123", "hal");
    spool.write("courier-4567.jws", "whole");
    spool.write("approve-1.jws", "another's");
    Handover handover(spool.path());
    REQUIRE(handover.open());
    CHECK(names(spool) == std::vector<std::string>{"approve-1.jws", "courier-4567.jws"});
}

TEST_CASE("handover: a spool from which nothing is taken fills up, and no further") {
    const TempFolder spool;
    Handover handover(spool.path());
    REQUIRE(handover.open());
    std::size_t put = 0;
    while (put < 1000 && handover.put("a.b." + std::to_string(put), Handover::Durable::no))
        put++;
    CHECK(put == Handover::kMostWaiting);
    CHECK(names(spool).size() == put);
    const auto refused = handover.put("a.b.more", Handover::Durable::no);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().why == "is full: 256 documents wait for the daemon");
    // Another courier, started now, knows of them.
    Handover next(spool.path());
    REQUIRE(next.open());
    CHECK_FALSE(next.put("a.b.more", Handover::Durable::no));
    std::filesystem::remove(spool.path(names(spool)[0])); // the daemon takes one
    CHECK(handover.put("a.b.more", Handover::Durable::no));
    CHECK_FALSE(handover.put("a.b.yet more", Handover::Durable::no));
}

TEST_CASE("handover: bytes are bounded too") {
    const TempFolder spool;
    Handover handover(spool.path());
    REQUIRE(handover.open());
    const std::string large(std::size_t{15} << 20, 'a');
    for (const char* each : {"1", "2", "3", "4"})
        CHECK(handover.put(large + each, Handover::Durable::no));
    CHECK_FALSE(handover.put(large + "5", Handover::Durable::no));
    CHECK(handover.put("small", Handover::Durable::no));
}

TEST_CASE("handover: no folder, no document") {
    const TempFolder spool;
    Handover handover(spool.path("absent"));
    CHECK_FALSE(handover.open());
    CHECK_FALSE(handover.put("a.b.c", Handover::Durable::no));
    std::filesystem::create_directory(spool.path("absent")); // made later
    CHECK(*handover.put("a.b.c", Handover::Durable::no));
}
