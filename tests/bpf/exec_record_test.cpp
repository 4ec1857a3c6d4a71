// What a session runs is recorded: where the program is, as whom, from where; within the session's budget.
#include "fixture.h"

#include "base/fd.h"
#include "base/moment.h"
#include "kernel/activity.h"

#include <bpf/libbpf.h>
#include <climits>
#include <cstdlib>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace escort;
using namespace escort::test;

namespace {

// The programs' activity ring, decoded.
class Records {
  public:
    explicit Records(const Kernel& kernel)
        : ring_(ring_buffer__new(kernel.programs.map("activity"), on_record, this, nullptr)) {
        REQUIRE(ring_ != nullptr);
    }
    ~Records() { ring_buffer__free(ring_); }
    Records(const Records&) = delete;
    Records& operator=(const Records&) = delete;

    std::vector<ExecRecord> all() {
        ring_buffer__consume(ring_);
        return std::exchange(records_, {});
    }
    [[nodiscard]] int fd() const { return ring_buffer__epoll_fd(ring_); }

  private:
    static int on_record(void* self, void* data, std::size_t size) {
        const auto record = decode_exec({static_cast<const std::byte*>(data), size});
        REQUIRE(record);
        static_cast<Records*>(self)->records_.push_back(*record);
        return 0;
    }
    ring_buffer* ring_;
    std::vector<ExecRecord> records_;
};

// A folder on the root filesystem's side that everybody may enter.
class Folder {
  public:
    Folder() : path_(std::string(std::getenv("ESCORT_TEST_BPFFS")) + "-exec") {
        mkdir(path_.c_str(), 0755);
        REQUIRE(mount("tmpfs", path_.c_str(), "tmpfs", 0, "mode=0755") == 0);
    }
    ~Folder() {
        umount2(path_.c_str(), MNT_DETACH);
        rmdir(path_.c_str());
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string copy(const std::string& program, const std::string& name, mode_t mode) const {
        std::filesystem::copy_file(program, path_ + "/" + name);
        REQUIRE(chmod((path_ + "/" + name).c_str(), mode) == 0);
        return path_ + "/" + name;
    }

  private:
    std::string path_;
};

std::string real(const char* path) {
    return std::filesystem::canonical(path).string();
}

void exec(std::vector<std::string> words) {
    std::vector<char*> pointers;
    for (auto& word : words)
        pointers.push_back(word.data());
    pointers.push_back(nullptr);
    execv(pointers[0], pointers.data());
    _exit(99);
}

// A session that waits, before it does anything, for the verdict that the test gives it.
class Judged {
  public:
    Judged(Kernel& kernel, const escort_verdict& verdict, const std::function<void()>& body)
        : gate_(make_pipe()), child_([this, body] {
              become(kSupport);
              char go = 0;
              if (read(gate_.first.get(), &go, 1) == 1) body();
          }) {
        const Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, child_.pid(), 0)));
        REQUIRE(eventually([&] { return kernel.state.label_of(pidfd.get()).has_value(); }));
        id = kernel.state.label_of(pidfd.get()).value_or(0);
        REQUIRE(kernel.state.set_verdict(id, verdict));
    }
    int go_on() {
        REQUIRE(write(gate_.second.get(), "x", 1) == 1);
        return child_.wait();
    }
    [[nodiscard]] pid_t pid() const { return child_.pid(); }
    std::uint64_t id = 0;

  private:
    static std::pair<Fd, Fd> make_pipe() {
        int ends[2];
        REQUIRE(pipe(ends) == 0);
        return {Fd(ends[0]), Fd(ends[1])};
    }
    std::pair<Fd, Fd> gate_;
    Child child_;
};

constexpr escort_verdict kRecorded{kNever, ESCORT_VERDICT_JUDGED, 600};
constexpr escort_verdict kWithArguments{kNever, ESCORT_VERDICT_JUDGED | ESCORT_VERDICT_ARGUMENTS, 600};

} // namespace

TEST_CASE("exec record: path, folder, uids, process; arguments only where they are asked for") {
    Kernel kernel;
    Records records(kernel);
    kernel.rules(60'000);
    for (const bool arguments : {false, true}) {
        Judged session(kernel, arguments ? kWithArguments : kRecorded, [] {
            if (chdir("/usr/share") == 0) exec({"/bin/true", "one", "", "two words"});
        });
        const pid_t pid = session.pid();
        CHECK(session.go_on() == 0);
        const auto all = records.all();
        REQUIRE(all.size() == 1);
        CHECK(all[0].id == session.id);
        CHECK(all[0].path == real("/bin/true"));
        CHECK(all[0].cwd == "/usr/share");
        CHECK(all[0].uid == kSupport);
        CHECK(all[0].euid == kSupport);
        CHECK(all[0].tgid == static_cast<std::uint32_t>(pid));
        CHECK(all[0].parent == static_cast<std::uint32_t>(getpid()));
        CHECK(all[0].script.empty());
        CHECK_FALSE((all[0].rose || all[0].nameless || all[0].path_cut || all[0].cwd_cut));
        if (arguments)
            CHECK(all[0].arguments == std::vector<std::string>{"/bin/true", "one", "", "two words"});
        else
            CHECK(all[0].arguments.empty());
        CHECK_FALSE(all[0].arguments_cut);
        kernel.state.forget(session.id, {});
    }
    CHECK(run([] {
              become(kTenant);
              exec({"/bin/true"});
          }) == 0);
    CHECK(records.all().empty());
    CHECK(kernel.state.counters()[ESCORT_COUNT_EXEC_RECORDED] == 2);
}

TEST_CASE("exec record: a session that nobody has judged yet, one that is watched; not one that is over") {
    Kernel kernel;
    Records records(kernel);
    kernel.rules(60'000);
    CHECK(run([] {
              become(kSupport);
              exec({"/bin/true"});
          }) == 0);
    CHECK(records.all().size() == 1);
    kernel.rules(0, Mode::observe);
    CHECK(run([] {
              become(kSupport);
              exec({"/bin/true"});
          }) == 0);
    CHECK(records.all().size() == 1);
    kernel.rules(60'000);
    for (const escort_verdict& over :
         {escort_verdict{kNever, ESCORT_VERDICT_DEAD | ESCORT_VERDICT_JUDGED, 600},
          escort_verdict{1, ESCORT_VERDICT_JUDGED, 600}}) {
        Judged session(kernel, kRecorded, [] { exec({"/bin/true"}); });
        REQUIRE(kernel.state.set_verdict(session.id, over));
        CHECK(session.go_on() < 0);
        CHECK(records.all().empty());
    }
    Judged released(kernel, {kNever, ESCORT_VERDICT_JUDGED | ESCORT_VERDICT_RELEASED, 600},
                    [] { exec({"/bin/true"}); });
    CHECK(released.go_on() == 0);
    CHECK(records.all().empty());
}

TEST_CASE("exec record: a script is named beside its interpreter") {
    Kernel kernel;
    Records records(kernel);
    const Folder folder;
    std::ofstream(folder.path() + "/job") << "#!/bin/sh\nexit 0\n" << std::flush;
    chmod((folder.path() + "/job").c_str(), 0755);
    kernel.rules(60'000);
    CHECK(run([&] {
              become(kSupport);
              if (chdir(folder.path().c_str()) == 0) exec({"./job"});
          }) == 0);
    const auto all = records.all();
    REQUIRE(all.size() == 1);
    CHECK(all[0].path == real("/bin/sh"));
    CHECK(all[0].script == "./job");
    CHECK(all[0].cwd == folder.path());
}

TEST_CASE("exec record: rises of uid are marked, root that stays root is not") {
    Kernel kernel;
    Records records(kernel);
    const Folder folder;
    const std::string risen = folder.copy("/bin/true", "risen", 04755);
    const std::string plain = folder.copy("/bin/true", "plain", 0755);
    kernel.rules(60'000);
    CHECK(run([&] {
              become(kSupport);
              exec({risen});
          }) == 0);
    CHECK(run([&] {
              become(kSupport);
              exec({plain});
          }) == 0);
    // A label that root carries: its child is no rise.
    CHECK(run([&] {
              syscall(SYS_setresuid, kSupport, 0, 0); // enters, and goes back
              syscall(SYS_setresuid, 0, 0, 0);
              exec({plain});
          }) == 0);
    const auto all = records.all();
    REQUIRE(all.size() == 3);
    CHECK(all[0].path == risen);
    CHECK(all[0].euid == 0);
    CHECK(all[0].uid == kSupport);
    CHECK(all[0].rose);
    CHECK_FALSE(all[1].rose);
    CHECK(all[2].euid == 0);
    CHECK_FALSE(all[2].rose);
}

TEST_CASE("exec record: root gained without a set-user-ID program is seen by the parent, which has none") {
    Kernel kernel;
    Records records(kernel);
    kernel.rules(60'000);
    CHECK(run([] {
              syscall(SYS_setresuid, kSupport, 0, 0);
              const pid_t child = fork();
              if (child == 0) { // root, when its parent isn't any more
                  usleep(200'000);
                  syscall(SYS_setresuid, 0, 0, 0);
                  exec({"/bin/true"});
              }
              become(kSupport);
              int status = 0;
              waitpid(child, &status, 0);
          }) == 0);
    const auto all = records.all();
    REQUIRE(all.size() == 1);
    CHECK(all[0].euid == 0);
    CHECK(all[0].rose);
}

TEST_CASE("exec record: long paths and folders are cut at their start, arguments at their end") {
    Kernel kernel;
    Records records(kernel);
    const Folder folder;
    std::string deep = folder.path();
    for (int i = 0; i < 4; i++) {
        deep += "/" + std::string(199, static_cast<char>('a' + i));
        REQUIRE(mkdir(deep.c_str(), 0755) == 0);
    }
    std::filesystem::copy_file("/bin/true", deep + "/true");
    kernel.rules(60'000);
    Judged session(kernel, kWithArguments, [&] {
        if (chdir(deep.c_str()) == 0) exec({deep + "/true", std::string(2000, 'x')});
    });
    CHECK(session.go_on() == 0);
    const auto all = records.all();
    REQUIRE(all.size() == 1);
    // Whole names, as many of the last as there is room for.
    CHECK(all[0].path == "/" + std::string(199, 'c') + "/" + std::string(199, 'd') + "/true");
    CHECK(all[0].path_cut);
    CHECK(all[0].cwd == "/" + std::string(199, 'd'));
    CHECK(all[0].cwd_cut);
    CHECK(all[0].arguments_cut);
    REQUIRE(!all[0].arguments.empty());
    CHECK(all[0].arguments[0] == deep + "/true");
    std::size_t bytes = 0;
    for (const auto& argument : all[0].arguments)
        bytes += argument.size() + 1;
    CHECK(bytes == ESCORT_EXEC_ARGUMENTS); // the last has no NUL: it was cut
    kernel.state.forget(session.id, {});

    CHECK(run([&] { // the longest folder that is whole: 255 bytes
              become(kSupport);
              if (chdir("/") == 0) exec({"/bin/true"});
          }) == 0);
    const auto root = records.all();
    REQUIRE(root.size() == 1);
    CHECK(root[0].cwd == "/");
    CHECK_FALSE(root[0].cwd_cut);
}

TEST_CASE("exec record: a memfd, a deleted file") {
    Kernel kernel;
    Records records(kernel);
    const Folder folder;
    const std::string gone = folder.copy("/bin/true", "gone", 0755);
    kernel.rules(60'000);
    const auto run_fd = [](int fd) {
        char word[] = "true";
        char* const words[] = {word, nullptr};
        char* const none[] = {nullptr};
        syscall(SYS_execveat, fd, "", words, none, AT_EMPTY_PATH);
        _exit(99);
    };
    const Fd memory(memfd_create("payload", MFD_CLOEXEC));
    const std::string content = [] {
        std::ifstream file("/bin/true", std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(file), {});
    }();
    REQUIRE(write(memory.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size()));
    REQUIRE(fchmod(memory.get(), 0755) == 0);
    CHECK(run([&] {
              become(kSupport);
              run_fd(memory.get());
          }) == 0);
    const Fd file(open(gone.c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(unlink(gone.c_str()) == 0);
    CHECK(run([&] {
              become(kSupport);
              run_fd(file.get());
          }) == 0);
    const auto all = records.all();
    REQUIRE(all.size() == 2);
    CHECK(all[0].path == "memfd:payload");
    CHECK(all[0].nameless);
    CHECK_FALSE(all[0].path_cut);
    CHECK(all[1].path == gone);
    CHECK(all[1].nameless);
}

TEST_CASE("exec record: over its budget a session is only counted; 0 records and counts nothing") {
    Kernel kernel;
    Records records(kernel);
    kernel.rules(60'000);
    const auto five = [] {
        for (int i = 0; i < 5; i++) {
            const pid_t child = fork();
            if (child == 0) exec({"/bin/true"});
            int status = 0;
            waitpid(child, &status, 0);
        }
    };
    Judged session(kernel, {kNever, ESCORT_VERDICT_JUDGED, 3}, five);
    CHECK(session.go_on() == 0);
    CHECK(records.all().size() == 3);
    const auto facts = kernel.state.session(session.id);
    REQUIRE(facts);
    CHECK(facts->execs == 3);
    CHECK(facts->execs_over == 2);
    CHECK(facts->exec_minute_ns > facts->opened_ns);
    CHECK(kernel.state.counters()[ESCORT_COUNT_EXEC_OVER] == 2);
    kernel.state.forget(session.id, {});

    Judged off(kernel, {kNever, ESCORT_VERDICT_JUDGED, 0}, five);
    CHECK(off.go_on() == 0);
    CHECK(records.all().empty());
    CHECK(kernel.state.session(off.id)->execs_over == 0);
}

TEST_CASE(
    "exec record: the daemon is not woken for a few; a full ring loses records, counted, and no event") {
    Kernel kernel;
    Records records(kernel);
    kernel.rules(60'000);
    Judged session(kernel, {kNever, ESCORT_VERDICT_JUDGED | ESCORT_VERDICT_ARGUMENTS, 60'000}, [] {
        for (int i = 0; i < 1200; i++) {
            const pid_t child = vfork();
            if (child == 0) {
                static const std::string longest(1000, 'x');
                execl("/bin/true", "true", longest.c_str(), nullptr);
                _exit(99);
            }
            int status = 0;
            waitpid(child, &status, 0);
        }
    });
    CHECK(session.go_on() == 0);
    const auto counters = kernel.state.counters();
    CHECK(counters[ESCORT_COUNT_EXEC_RECORDED] + counters[ESCORT_COUNT_ACTIVITY_FULL] == 1200);
    CHECK(counters[ESCORT_COUNT_ACTIVITY_FULL] > 0);
    CHECK(records.all().size() == counters[ESCORT_COUNT_EXEC_RECORDED]);
    std::size_t last = 0;
    for (const auto& event : kernel.events())
        last += event.type == ESCORT_EVENT_LAST && event.id == session.id;
    CHECK(last == 1);
}
