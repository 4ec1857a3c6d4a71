#include "kernel/probe.h"

#include "kernel/canary.h"
#include "kernel/rules.h"

#include <poll.h>

namespace escort {

namespace {
constexpr int kTimeoutMs = 1000;
} // namespace

Status prove_enforcement() {
    const auto canary = start_canary(IdentityCall::setresuid, kProbeUid);
    if (!canary) return tl::unexpected(canary.error());
    pollfd wait{canary->pidfd.get(), POLLIN, 0};
    if (::poll(&wait, 1, kTimeoutMs) != 1) {
        kill_canary(*canary);
        ::poll(&wait, 1, -1);
        (void)end_of(*canary); // reaped; that it died now proves nothing
        return fail("canary", "did not end within a second",
                    "this host is not enforced; see `escortctl status`");
    }
    switch (end_of(*canary)) {
    case CanaryEnd::killed:
        return {};
    case CanaryEnd::could_not:
        return fail("canary", "could not change its uid", "the agent needs CAP_SETUID");
    case CanaryEnd::lived:
    case CanaryEnd::ended:
    case CanaryEnd::running:
        break;
    }
    return fail("canary", "a session that must die lived: the kernel's hooks don't fire",
                "this host is not enforced; see `escortctl status`");
}

} // namespace escort
