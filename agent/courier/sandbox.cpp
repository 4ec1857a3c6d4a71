#include "courier/sandbox.h"

#include "sandbox/capabilities.h"
#include "sandbox/common_calls.h"
#include "sandbox/filter.h"

#include <linux/netlink.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <vector>

namespace escort::courier {

namespace {

std::vector<AllowedCall> table() {
    std::vector<AllowedCall> calls;
    add_common_calls(calls);
    for (const int family : {AF_INET, AF_INET6, AF_UNIX})
        for (const char* call : {"socket", "socketpair"})
            calls.push_back({call,
                             "brokers, the resolver's daemon, the service manager",
                             {is(0, static_cast<std::uint64_t>(family))}});
    calls.push_back({"socket",
                     "getaddrinfo(3) asks which addresses this host has",
                     {is(0, AF_NETLINK), is(2, NETLINK_ROUTE)}});
    calls.push_back({"clone", "libcurl's resolver and cnats are threads", {none_of(0, kNewNamespaces)}});
    calls.push_back({"ioctl", "a socket that doesn't block", {is(1, FIONBIO)}});
    return calls;
}

} // namespace

Status enter_sandbox() {
    return drop_capabilities().and_then([] { return load_filter(table()); });
}

} // namespace escort::courier
