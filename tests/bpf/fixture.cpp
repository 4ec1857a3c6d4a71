#include "fixture.h"

#include "base/clock.h"

#include <bpf/libbpf.h>
#include <csignal>
#include <cstdlib>
#include <doctest/doctest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace escort::test {

namespace {

Programs start(Pins found) {
    if (found == Pins::fresh) forget_pins();
    auto programs = Programs::start({.pins = pins(),
                                     .adopt = found != Pins::replaced,
                                     .boot = 0x7e57,
                                     .first_number = 1,
                                     .uid_min = 60000});
    if (!programs) FAIL(programs.error().text());
    if (found != Pins::replaced) REQUIRE(programs->take_over());
    return std::move(*programs);
}

std::uint64_t until_ns(std::uint64_t window_ms) {
    return window_ms == 0 ? 0 : boot_ns() + window_ms * 1'000'000;
}

int outcome(int status) {
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

} // namespace

// The kernel lets go of an unpinned link a little later than the unlink returns.
void forget_pins() {
    REQUIRE(Programs::remove_all(pins()));
    REQUIRE(eventually([] { return run([] { become(kSupport); }) == 0; }));
}

std::string pins() {
    return std::string(std::getenv("ESCORT_TEST_BPFFS")) + "/escortd";
}

Kernel::Kernel(Pins found) : programs(start(found)), state(programs) {
    ring_ = ring_buffer__new(state.ring(), on_event, this, nullptr);
    REQUIRE(ring_ != nullptr);
}

Kernel::~Kernel() {
    ring_buffer__free(ring_);
}

int Kernel::on_event(void* self, void* data, std::size_t size) {
    CHECK(size >= sizeof(escort_event));
    static_cast<Kernel*>(self)->events_.push_back(*static_cast<const escort_event*>(data));
    return 0;
}

std::vector<escort_event> Kernel::events() {
    ring_buffer__consume(ring_);
    return std::exchange(events_, {});
}

void Kernel::rules(std::uint64_t window_ms, Mode mode, std::vector<ExemptRule> exempt, Admission admission) {
    Policy policy;
    policy.mode.value = mode;
    policy.require.admission.value = admission;
    policy.require.entries.value = {Entry::sshd, Entry::other}; // the tests' own programs are `other`
    const std::uint64_t until = until_ns(window_ms);
    const std::vector<PrincipalRule> principals{{kSupport, &policy, until}, {kSecond, &policy, until}};
    REQUIRE(state.set_rules(compile_rules(principals, exempt, false)));
}

void Kernel::unit(const std::string& name, std::vector<std::string> may_run, std::uint64_t window_ms,
                  Mode mode) {
    Policy policy; // admission: gate, which a unit's sessions don't know
    policy.mode.value = mode;
    const std::vector<UnitRule> units{{name, std::move(may_run), until_ns(window_ms), &policy}};
    REQUIRE(state.set_rules(compile_rules({{kSupport, &policy, 0}}, {}, false, units)));
}

int run(const std::function<void()>& body) {
    Child child(body);
    return child.wait();
}

Child::Child(const std::function<void()>& body) : pid_(fork()) {
    REQUIRE(pid_ >= 0);
    if (pid_ != 0) return;
    body();
    _exit(0);
}

Child::~Child() {
    if (pid_ < 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
}

bool Child::alive() const {
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0;
}

int Child::wait() {
    int status = 0;
    REQUIRE(waitpid(pid_, &status, 0) == pid_);
    pid_ = -1;
    return outcome(status);
}

void become(std::uint32_t uid) {
    syscall(SYS_setresuid, uid, uid, uid);
}

bool eventually(const std::function<bool()>& condition) {
    for (int i = 0; i < 400; i++) {
        if (condition()) return true;
        usleep(5000);
    }
    return false;
}

std::uint64_t session_of(const Kernel& kernel, const Child& child) {
    std::uint64_t id = 0;
    REQUIRE(eventually([&] {
        const auto tasks = kernel.state.labelled(0);
        for (const auto& task : *tasks)
            if (static_cast<pid_t>(task.tgid) == child.pid()) id = task.id;
        return id != 0;
    }));
    return id;
}

} // namespace escort::test
