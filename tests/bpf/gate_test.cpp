// Sessions that the gate opens: only a task that carries their label enters an account with `admission:
// gate`.
#include "fixture.h"

#include "base/fd.h"
#include "base/moment.h"

#include <csignal>
#include <doctest/doctest.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace escort;
using namespace escort::test;

namespace {

Fd pidfd_of(pid_t pid) {
    return Fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
}

// A login process that waits for the gate's answer, then enters the account.
class Login {
  public:
    explicit Login(std::uint32_t uid)
        : opened_(pipe(gate_) == 0),
          child_([&] {
              char byte = 0;
              if (read(gate_[0], &byte, 1) != 1) _exit(3);
              become(uid);
          }),
          pidfd(pidfd_of(child_.pid())) {
        REQUIRE(opened_);
    }
    ~Login() {
        close(gate_[0]);
        close(gate_[1]);
    }
    int go_on() {
        REQUIRE(write(gate_[1], "x", 1) == 1);
        return child_.wait();
    }

  private:
    int gate_[2]{};
    bool opened_;
    Child child_;

  public:
    Fd pidfd;
};

} // namespace

TEST_CASE("gate: without its label nobody gets in, window or not; observed where the policy only watches") {
    for (const std::uint64_t window_ms : {0U, 60'000U}) {
        Kernel kernel;
        kernel.rules(window_ms, Mode::enforce, {}, Admission::gate);
        CHECK(run([] { become(kSupport); }) == -SIGKILL);
        const auto events = kernel.events();
        REQUIRE(!events.empty());
        CHECK(events[0].reason == ESCORT_REASON_UNGATED);
    }
    Kernel kernel;
    kernel.rules(60'000, Mode::observe, {}, Admission::gate);
    CHECK(run([] { become(kSupport); }) == 0);
    CHECK(kernel.events().at(0).flags == ESCORT_EVENT_OBSERVED);
}

TEST_CASE("gate: a labelled login gets in, another of the same moment does not") {
    Kernel kernel;
    kernel.rules(60'000, Mode::enforce, {}, Admission::gate);
    Login cleared(kSupport);
    const auto id =
        kernel.state.open_session(kSupport, ESCORT_ENTRY_SSHD, {kNever, ESCORT_VERDICT_JUDGED, 0});
    REQUIRE(id);
    const auto facts = kernel.state.session(*id);
    REQUIRE(facts);
    CHECK(facts->uid == kSupport);
    CHECK(facts->entry == ESCORT_ENTRY_SSHD);
    CHECK(facts->flags == ESCORT_SESSION_GATED);
    CHECK(facts->live == 1);
    CHECK((*id >> 32) == 0x7e57);
    REQUIRE(kernel.state.label(cleared.pidfd.get(), *id));
    CHECK(kernel.state.label_of(cleared.pidfd.get()) == *id);

    CHECK(run([] { become(kSupport); }) == -SIGKILL);
    CHECK(cleared.go_on() == 0);
    std::size_t last = 0;
    for (const auto& event : kernel.events())
        last += event.type == ESCORT_EVENT_LAST && event.id == *id;
    CHECK(last == 1);

    const auto next = kernel.state.open_session(kSupport, ESCORT_ENTRY_SSHD, {kNever, 0, 0});
    REQUIRE(next);
    CHECK(*next > *id + 1); // the refused one has a number too
    kernel.state.forget(*next, {});
    kernel.state.forget(*id, {});
    CHECK(kernel.state.sessions().empty());
}

TEST_CASE("gate: a label opens its own account and those of `also`, no other") {
    for (const bool named : {false, true}) {
        Kernel kernel;
        kernel.rules(60'000, Mode::enforce, {}, Admission::gate);
        Login other(kSecond);
        const auto id =
            kernel.state.open_session(kSupport, ESCORT_ENTRY_SU, {kNever, ESCORT_VERDICT_JUDGED, 0});
        REQUIRE(id);
        if (named) REQUIRE(kernel.state.allow_also(*id, kSecond));
        REQUIRE(kernel.state.label(other.pidfd.get(), *id));
        CHECK(other.go_on() == (named ? 0 : -SIGKILL));
    }
    // Not judged yet, it is admitted to its own account alone.
    Kernel kernel;
    kernel.rules(60'000, Mode::enforce, {}, Admission::gate);
    Login other(kSecond);
    const auto id = kernel.state.open_session(kSupport, ESCORT_ENTRY_SU, {kNever, 0, 0});
    REQUIRE(id);
    REQUIRE(kernel.state.label(other.pidfd.get(), *id));
    CHECK(other.go_on() == -SIGKILL);
}

TEST_CASE("gate: a task is labelled once, and not when it is gone") {
    Kernel kernel;
    kernel.rules(0, Mode::enforce, {}, Admission::gate);
    const auto id = kernel.state.open_session(kSupport, ESCORT_ENTRY_SSHD, {kNever, 0, 0});
    REQUIRE(id);
    Login login(kTenant);
    REQUIRE(kernel.state.label(login.pidfd.get(), *id));
    CHECK_FALSE(kernel.state.label(login.pidfd.get(), *id + 1));
    CHECK(kernel.state.label_of(login.pidfd.get()) == *id);
    CHECK(login.go_on() == 0);
    CHECK_FALSE(kernel.state.label(login.pidfd.get(), *id));
}

TEST_CASE("gate: a dead verdict refuses the labelled login, too") {
    Kernel kernel;
    kernel.rules(60'000, Mode::enforce, {}, Admission::gate);
    Login login(kSupport);
    const auto id = kernel.state.open_session(kSupport, ESCORT_ENTRY_SSHD, {kNever, 0, 0});
    REQUIRE(id);
    REQUIRE(kernel.state.label(login.pidfd.get(), *id));
    REQUIRE(kernel.state.set_verdict(*id, {0, ESCORT_VERDICT_DEAD, 0}));
    CHECK(login.go_on() == -SIGKILL);
}
