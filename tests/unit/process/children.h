// Child processes of a test: a copy of the shell under any name, holding what it is given.
#pragma once

#include "base/fd.h"
#include "temp_folder.h"

#include <csignal>
#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace escort {

class TestPrograms {
  public:
    TestPrograms() { std::filesystem::permissions(folder_.path(), std::filesystem::perms(0755)); }

    // The shell under this name.
    std::string shell(const std::string& name) const {
        const auto path = folder_.path(name);
        if (!std::filesystem::exists(path)) std::filesystem::copy_file("/bin/dash", path);
        return path;
    }

  private:
    test::TempFolder folder_;
};

// A program that runs until the end of the test. Descriptors without close-on-exec are its own too.
class TestChild {
  public:
    explicit TestChild(const std::vector<std::string>& arguments, uid_t uid = 0,
                       const std::vector<int>& keep = {}) {
        int ends[2];
        REQUIRE(::pipe(ends) == 0);
        Fd read_end(ends[0]), write_end(ends[1]);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::dup2(write_end.get(), 1);
            for (const int fd : keep)
                (void)::dup(fd); // the copy isn't closed on exec
            std::vector<char*> argv;
            for (const auto& argument : arguments)
                argv.push_back(const_cast<char*>(argument.c_str()));
            argv.push_back(nullptr);
            if (uid != 0 && ::setresuid(uid, uid, uid) != 0) ::_exit(1);
            ::execv(argv[0], argv.data());
            ::_exit(127);
        }
        write_end.reset();
        char text[32] = {};
        REQUIRE(::read(read_end.get(), text, sizeof text - 1) > 0); // its script says a number once it runs
        said_ = std::atoi(text);
    }
    ~TestChild() { end(); }
    TestChild(const TestChild&) = delete;
    TestChild& operator=(const TestChild&) = delete;

    void end() {
        if (pid_ <= 0) return;
        if (said_ > 1 && said_ != pid_) ::kill(said_, SIGKILL);
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] int said() const { return said_; }

  private:
    pid_t pid_ = 0;
    int said_ = 0;
};

} // namespace escort
