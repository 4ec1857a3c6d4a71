// Upgrades: one set of programs takes over from another while sessions live and tasks fork.
#include "fixture.h"

#include "kernel/carry.h"
#include "kernel/pins.h"

#include "enforce/sweep.h"

#include <algorithm>
#include <atomic>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <csignal>
#include <cstring>
#include <doctest/doctest.h>
#include <filesystem>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace escort;
using namespace escort::test;

namespace {

std::uint64_t only_session(const Kernel& kernel) {
    const auto sessions = kernel.state.sessions();
    REQUIRE(sessions.size() == 1);
    return sessions[0].id;
}

std::int64_t labelled(const Kernel& kernel, std::uint64_t id) {
    const auto tasks = kernel.state.labelled(id);
    REQUIRE(tasks);
    std::int64_t alive = 0;
    for (const auto& task : *tasks)
        alive += (task.flags & ESCORT_TASK_GONE) == 0;
    return alive;
}

[[noreturn]] void stay() {
    for (;;)
        pause();
}

[[noreturn]] void fork_for_ever() {
    for (;;) {
        const pid_t child = fork();
        if (child == 0) {
            usleep(2000);
            _exit(0);
        }
        usleep(1000);
        while (waitpid(-1, nullptr, WNOHANG) > 0) {
        }
    }
}

// Processes that enter the account again and again; a number in shared memory counts those that got past it.
struct Intruders {
    struct Counts {
        std::atomic<int> tried, lived;
    };
    Counts* counts = static_cast<Counts*>(
        mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    Child loop{[this] {
        for (;;) {
            counts->tried++;
            const pid_t child = fork();
            if (child == 0) {
                become(kSupport);
                counts->lived++;
                _exit(0);
            }
            waitpid(child, nullptr, 0);
        }
    }};
    ~Intruders() { munmap(counts, sizeof(Counts)); } // NOLINT: the child's copy is its own
};

// Another version's maps, whose records are shorter or longer than ours.
struct OtherVersion {
    std::string folder = pins() + "/v1";
    Fd sessions, verdicts, also, orphans, config;

    explicit OtherVersion(std::size_t session_size) {
        for (const auto* part : {"", "/maps"})
            REQUIRE(mkdir((folder + part).c_str(), 0700) == 0);
        sessions = make("sessions", 8, session_size);
        verdicts = make("verdicts", 8, 16);
        also = make("also", 16, 4);
        orphans = make("orphans", 16, 16);
        config = make("config", 4, 64, BPF_MAP_TYPE_ARRAY);
    }
    Fd make(const char* name, std::size_t key, std::size_t value,
            bpf_map_type type = BPF_MAP_TYPE_HASH) const {
        Fd map(bpf_map_create(type, name, static_cast<__u32>(key), static_cast<__u32>(value),
                              type == BPF_MAP_TYPE_ARRAY ? 1 : 64, nullptr));
        REQUIRE(map.valid());
        REQUIRE(bpf_obj_pin(map.get(), (folder + "/maps/" + name).c_str()) == 0);
        return map;
    }
    void set(std::uint64_t id, std::int64_t live, std::uint32_t flags, std::size_t size) const {
        std::vector<char> bytes(std::max(size, sizeof(escort_session)), '\x7f'); // what we don't know of
        escort_session session{};
        session.opened_ns = 5;
        session.live = live;
        session.uid = kSupport;
        session.execs = 9;
        std::memcpy(bytes.data(), &session, std::min(sizeof session, size));
        const escort_verdict verdict{~0ULL, flags, 0};
        REQUIRE(bpf_map_update_elem(sessions.get(), &id, bytes.data(), BPF_ANY) == 0);
        REQUIRE(bpf_map_update_elem(verdicts.get(), &id, &verdict, BPF_ANY) == 0);
    }
};

} // namespace

TEST_CASE("upgrade: nothing gets in, and no task is lost or counted twice, while a new set takes over") {
    auto old = std::make_unique<Kernel>();
    old->rules(60'000);
    Child session([] { become(kSupport), fork_for_ever(); });
    REQUIRE(eventually([&] { return old->state.sessions().size() == 1; }));
    const auto id = only_session(*old);
    REQUIRE(old->state.set_verdict(id, {~0ULL, ESCORT_VERDICT_JUDGED, 0}));
    old->rules(0);
    const Intruders intruders;
    REQUIRE(eventually([&] { return intruders.counts->tried > 20; }));
    old.reset(); // the daemon goes, its programs stay

    for (int round = 0; round < 5; round++) {
        Kernel next(Pins::replaced);
        CHECK_FALSE(next.programs.adopted());
        CHECK(pinned_sets(pins()).size() == 2); // both are attached
        next.rules(0);
        REQUIRE(next.programs.take_over());
        CHECK(pinned_sets(pins()).size() == 1);
        const int tried = intruders.counts->tried;
        CHECK(eventually([&] { return intruders.counts->tried > tried + 20; }));
        CHECK(session.alive());
        kill(session.pid(), SIGSTOP); // so that it can be counted
        CHECK(eventually([&] { return next.state.session(id)->live == labelled(next, id); }));
        kill(session.pid(), SIGCONT);
    }
    CHECK(intruders.counts->lived == 0);
    CHECK(intruders.counts->tried > 100);

    Kernel last(Pins::adopted);
    REQUIRE(last.state.set_verdict(id, {0, ESCORT_VERDICT_DEAD, 0}));
    REQUIRE(sweep(last.state, id));
    CHECK(session.wait() == -SIGKILL);
}

TEST_CASE("upgrade: a start that didn't get to its end leaves nothing that acts") {
    Kernel old;
    old.rules(0);
    { const Kernel abandoned(Pins::replaced); }
    CHECK(pinned_sets(pins()).size() == 2);
    CHECK(run([] { become(kSupport); }) == -SIGKILL);
    const Kernel next(Pins::adopted);
    CHECK(next.programs.adopted());
    CHECK(pinned_sets(pins()).size() == 1);
    CHECK(run([] { become(kSupport); }) == -SIGKILL);
}

TEST_CASE("upgrade: another version's sessions are carried over, whatever the length of its records") {
    for (const std::size_t size : {std::size_t{56}, std::size_t{72}, std::size_t{120}}) {
        CAPTURE(size);
        Kernel old; // stands for the other version's programs: it has labelled the session's tasks
        old.rules(60'000);
        Child session([] { become(kSupport), stay(); });
        REQUIRE(eventually([&] { return old.state.sessions().size() == 1; }));
        const auto id = only_session(old);
        const OtherVersion other(size);
        other.set(id, 1, ESCORT_VERDICT_JUDGED, size);
        std::vector<char> config(64);
        escort_config theirs{};
        theirs.next = 77;
        std::memcpy(config.data(), &theirs, config.size());
        const std::uint32_t zero = 0;
        REQUIRE(bpf_map_update_elem(other.config.get(), &zero, config.data(), BPF_ANY) == 0);
        old.state.forget(id, {});

        Kernel next(Pins::replaced);
        next.rules(0);
        REQUIRE(next.programs.take_over());
        const auto carried = next.state.session(id);
        REQUIRE(carried);
        CHECK(carried->opened_ns == 5);
        CHECK(carried->live == 1);
        CHECK(carried->execs == (size == 56 ? 0 : 9)); // what that version knew nothing of is zero
        CHECK(next.state.verdict(id)->flags == ESCORT_VERDICT_JUDGED);
        CHECK(next.state.next_number() >= 77 + 4096);
        CHECK(other_versions(pins()).empty());
        CHECK(session.alive());
        REQUIRE(next.state.set_verdict(id, {0, ESCORT_VERDICT_DEAD, 0}));
        REQUIRE(sweep(next.state, id));
        CHECK(session.wait() == -SIGKILL);
    }
}

TEST_CASE(
    "upgrade: what the other version counts while it is copied is put right, and what it opens comes too") {
    Kernel kernel;
    const OtherVersion other(56);
    const std::uint64_t one = 0x1'0000'0001, two = 0x1'0000'0002;
    other.set(one, 3, ESCORT_VERDICT_JUDGED, 56);
    auto carry = Carry::open(other.folder, {kernel.programs.map("sessions"), kernel.programs.map("verdicts"),
                                            kernel.programs.map("also"), kernel.programs.map("orphans"),
                                            kernel.programs.map("config"), kernel.programs.adjust()});
    REQUIRE(carry);
    REQUIRE(carry->copy());
    CHECK(kernel.state.session(one)->live == 3);
    other.set(one, 5, ESCORT_VERDICT_DEAD, 56); // two forks
    other.set(two, 1, ESCORT_VERDICT_DEAD, 56); // a new session
    REQUIRE(carry->settle());
    CHECK(kernel.state.session(one)->live == 5);
    CHECK(kernel.state.verdict(one)->flags == ESCORT_VERDICT_JUDGED); // ours since the copy
    CHECK(kernel.state.session(two)->live == 1);
    CHECK(kernel.state.verdict(two)->flags == ESCORT_VERDICT_DEAD);
}

TEST_CASE("upgrade: removed and replaced pins are put back, and until then nothing was detached") {
    Kernel kernel;
    kernel.rules(0);
    CHECK(kernel.programs.repair().missing.empty());
    std::filesystem::remove_all(pins());
    CHECK(run([] { become(kSupport); }) == -SIGKILL);
    auto repaired = kernel.programs.repair();
    CHECK(repaired.status);
    CHECK(repaired.missing.size() > 10);
    CHECK(kernel.programs.repair().missing.empty());

    const std::string verdicts = map_pin(pins(), "verdicts");
    const std::string newtask = pinned_sets(pins()).at(0).folder + "/escort_newtask";
    REQUIRE(std::filesystem::remove(verdicts));
    REQUIRE(bpf_obj_pin(kernel.programs.map("sessions"), verdicts.c_str()) == 0);
    REQUIRE(std::filesystem::remove(newtask));
    std::filesystem::create_symlink("/etc/hosts", newtask);
    repaired = kernel.programs.repair();
    CHECK(repaired.status);
    CHECK(repaired.missing == std::vector<std::string>{"escort_newtask", "verdicts"});
    CHECK(kernel.programs.repair().missing.empty());

    const Kernel next(Pins::adopted);
    CHECK(next.programs.adopted());
    CHECK(run([] { become(kSupport); }) == -SIGKILL);
}

TEST_CASE("upgrade: another program in the place of the one that lists tasks is put right") {
    Kernel kernel;
    kernel.rules(60'000);
    const Child member([] { become(kSupport), stay(); });
    const auto id = session_of(kernel, member);
    CHECK(labelled(kernel, id) == 1);
    const bpf_insn nothing[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
        {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
    LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_ITER);
    options.attach_btf_id = static_cast<__u32>(libbpf_find_vmlinux_btf_id("task", BPF_TRACE_ITER));
    const Fd other(bpf_prog_load(BPF_PROG_TYPE_TRACING, "nothing", "GPL", nothing, 2, &options));
    REQUIRE(other.valid());
    REQUIRE(bpf_link_update(kernel.programs.iterator_link(), other.get(), nullptr) == 0);
    CHECK(labelled(kernel, id) == 0); // the attack works until it is seen
    CHECK(kernel.programs.repair().missing == std::vector<std::string>{"escort_tasks"});
    CHECK(labelled(kernel, id) == 1);
}

TEST_CASE("upgrade: no link of ours can be detached") {
    const Kernel kernel;
    for (const auto& link : kernel.programs.links()) {
        CAPTURE(link.name);
        CHECK(bpf_link_detach(link.fd.get()) != 0);
    }
}

TEST_CASE("upgrade: a set that is told to act no more is put right") {
    Kernel kernel;
    kernel.rules(0);
    const std::uint32_t zero = 0;
    const escort_owner nobody{0};
    REQUIRE(bpf_map_update_elem(kernel.programs.map("owner"), &zero, &nobody, BPF_ANY) == 0);
    CHECK(run([] { become(kSupport); }) == 0); // the attack works until it is seen
    const auto repaired = kernel.programs.repair();
    CHECK(repaired.missing == std::vector<std::string>{"owner"});
    CHECK(run([] { become(kSupport); }) == -SIGKILL);
}
