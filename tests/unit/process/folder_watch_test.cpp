#include "process/folder_watch.h"

#include "temp_folder.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace escort;

namespace {

struct Watched {
    test::TempFolder folder;
    sd_event* loop = nullptr;
    std::vector<FolderChange> seen;
    std::unique_ptr<FolderWatch> watch;

    explicit Watched(FolderWatch::Watched which = FolderWatch::Watched::files) {
        std::filesystem::create_directory(folder.path("below"));
        REQUIRE(sd_event_new(&loop) >= 0);
        auto opened = FolderWatch::open(loop, folder.path(), which, [this](const FolderChange& change) {
            seen.push_back({change.folder, change.file, change.pid, {}});
        });
        REQUIRE(opened);
        watch = std::move(*opened);
    }
    ~Watched() {
        watch.reset();
        sd_event_unref(loop);
    }
    // Runs a line of shell in a process of its own, and then the loop; the process's pid.
    pid_t does(const std::string& line) {
        seen.clear();
        const pid_t child = ::fork();
        if (child == 0) {
            ::chdir(folder.path().c_str());
            ::execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
            ::_exit(127);
        }
        ::waitpid(child, nullptr, 0);
        while (sd_event_run(loop, 50'000) > 0) {
        }
        return child;
    }
};

} // namespace

TEST_CASE("folder watch: who writes, renames or deletes a file") {
    Watched watched;
    pid_t who = watched.does("echo x >a");
    REQUIRE(watched.seen.size() == 1);
    CHECK(watched.seen[0].pid == who);
    CHECK(watched.seen[0].file == "a");
    CHECK(watched.seen[0].folder == watched.folder.path());
    who = watched.does("exec mv a b");
    REQUIRE_FALSE(watched.seen.empty());
    for (const auto& change : watched.seen)
        CHECK(change.pid == who);
    watched.does("exec rm b");
    CHECK(watched.seen.size() == 1);
}

TEST_CASE("folder watch: reading, folders below, and this process itself are no changes") {
    Watched watched;
    watched.does("echo x >below/a; cat below/a; ls");
    CHECK(watched.seen.empty());
    std::ofstream(watched.folder.path("own")) << "x";
    watched.does("cat own");
    CHECK(watched.seen.empty());
}

TEST_CASE("folder watch: entries that are made and never written") {
    for (const std::string line : {"exec ln -s /nowhere link", "exec mkdir folder"}) {
        Watched files;
        files.does(line);
        CHECK(files.seen.empty());
        Watched entries(FolderWatch::Watched::entries);
        const pid_t who = entries.does(line);
        REQUIRE(entries.seen.size() == 1);
        CHECK(entries.seen[0].pid == who);
    }
}

TEST_CASE("folder watch: no such folder") {
    sd_event* loop = nullptr;
    REQUIRE(sd_event_new(&loop) >= 0);
    CHECK_FALSE(
        FolderWatch::open(loop, "/nonexistent", FolderWatch::Watched::files, [](const FolderChange&) {}));
    sd_event_unref(loop);
}
