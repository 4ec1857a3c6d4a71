// Whole small files.
#include "base/file.h"

#include "temp_folder.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>

using namespace escort;
namespace fs = std::filesystem;

using Folder = test::TempFolder;

TEST_CASE("file: a read is whole or an error") {
    const Folder folder;
    const std::string file = folder.path() + "/a";
    std::ofstream(file) << std::string(1000, 'x');
    CHECK(read_file(file, 1000).value() == std::string(1000, 'x'));
    CHECK(read_file(file, 999).error().text() == file + ": is larger than 999 bytes");
    CHECK(read_file(file + "b", 10).error().text() == file + "b: open: No such file or directory");
    CHECK(read_file(folder.path(), 10).error().why == "is not a regular file");
    REQUIRE(mkfifo((folder.path() + "/fifo").c_str(), 0600) == 0);
    CHECK(read_file(folder.path() + "/fifo", 10).error().why ==
          "is not a regular file"); // and it doesn't hang
    std::ofstream(folder.path() + "/empty").flush();
    CHECK(read_file(folder.path() + "/empty", 0).value().empty());
    // /proc says size 0 and gives a page at a time.
    const auto status = read_file("/proc/self/status", 65536);
    CHECK(status.value().starts_with("Name:\t"));
    CHECK(read_file("/proc/self/status", 100).error().why == "is larger than 100 bytes");
}

TEST_CASE("file: a write leaves the old or the new, and no litter") {
    const Folder folder;
    const std::string file = folder.path() + "/a";
    REQUIRE(write_file_atomically(file, "one", 0600));
    REQUIRE(write_file_atomically(file, "two", 0600));
    CHECK(read_file(file, 10).value() == "two");
    struct stat info {};
    REQUIRE(stat(file.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
    const mode_t before = umask(0077); // the daemon runs with one; some of its files are for everybody
    CHECK(write_file_atomically(file, "three", 0644));
    umask(before);
    REQUIRE(stat(file.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0644);
    fs::create_directory(folder.path() + "/b"); // a folder stands in the way of the rename
    CHECK_FALSE(write_file_atomically(folder.path() + "/b", "x", 0600));
    CHECK_FALSE(write_file_atomically(folder.path() + "/none/c", "x", 0600));
    CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == 2);
}

TEST_CASE("file: a listing has the regular files of that suffix, in order, hidden ones left out") {
    const Folder folder;
    for (const char* name : {"b.pem", "a.pem", ".c.pem", "d.txt"})
        std::ofstream(folder.path() + "/" + name).flush();
    fs::create_directory(folder.path() + "/e.pem");
    const auto found = list_files(folder.path(), ".pem");
    REQUIRE(found);
    CHECK(*found == std::vector<std::string>{folder.path() + "/a.pem", folder.path() + "/b.pem"});
    CHECK_FALSE(list_files(folder.path() + "/none", ".pem"));
}
