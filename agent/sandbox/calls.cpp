#include "sandbox/calls.h"

#include "base/own_program.h"
#include "kernel/rules.h"
#include "sandbox/common_calls.h"

#include <csignal>
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

namespace escort {

namespace {

void add_arguments(std::vector<AllowedCall>& calls) {
    // Kernel objects. Not here: attaching to cgroups and sockets, or looking at objects by others' numbers.
    for (const auto command : {BPF_MAP_CREATE, BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM, BPF_MAP_DELETE_ELEM,
                               BPF_MAP_GET_NEXT_KEY, BPF_MAP_LOOKUP_AND_DELETE_ELEM, BPF_MAP_LOOKUP_BATCH,
                               BPF_MAP_LOOKUP_AND_DELETE_BATCH, BPF_MAP_UPDATE_BATCH, BPF_MAP_DELETE_BATCH,
                               BPF_MAP_FREEZE, BPF_OBJ_GET_INFO_BY_FD, BPF_PROG_TEST_RUN, BPF_ITER_CREATE})
        calls.push_back({"bpf", "maps are read and written, task passes run", {is(0, command)}});
    for (const auto command : {BPF_PROG_LOAD, BPF_BTF_LOAD, BPF_BTF_GET_NEXT_ID, BPF_BTF_GET_FD_BY_ID,
                               BPF_PROG_BIND_MAP, BPF_LINK_CREATE, BPF_LINK_UPDATE, BPF_LINK_DETACH,
                               BPF_RAW_TRACEPOINT_OPEN, BPF_OBJ_PIN, BPF_OBJ_GET})
        calls.push_back({"bpf", "programs and pins that were taken away are put back", {is(0, command)}});
    for (const auto command : {BPF_ENABLE_STATS, BPF_PROG_GET_FD_BY_ID, BPF_LINK_GET_FD_BY_ID})
        calls.push_back({"bpf", "doctor: how often each program ran", {is(0, command)}});
    calls.push_back(
        {"perf_event_open", "tracepoints are attached through it; never to one task", {is(1, ~0ULL)}});
    for (const auto request : {std::uint64_t{PERF_EVENT_IOC_SET_BPF}, std::uint64_t{PERF_EVENT_IOC_ENABLE},
                               std::uint64_t{PERF_EVENT_IOC_DISABLE}})
        calls.push_back({"ioctl", "the other half of attaching to a tracepoint", {is(1, request)}});

    for (const char* call : {"socket", "socketpair"})
        calls.push_back({call, "D-Bus, journal, service manager, NSS daemons, our own", {is(0, AF_UNIX)}});
    calls.push_back({"socket",
                     "addresses of connections where pidfd_getfd is forbidden",
                     {is(0, AF_NETLINK), is(2, NETLINK_SOCK_DIAG)}});

    calls.push_back({"fanotify_mark",
                     "a folder of our own that was removed and made again is watched again",
                     {is(1, FAN_MARK_ADD | FAN_MARK_ONLYDIR)}});

    // Processes of our own.
    calls.push_back({"clone",
                     "canary and NSS helper; no thread in a namespace of its own",
                     {none_of(0, kNewNamespaces)}});
    calls.push_back({"execve",
                     "the NSS helper is this program again; no other path, whoever asks",
                     {{0, kWholeArgument, reinterpret_cast<std::uintptr_t>(kOwnProgram)}}});
    constexpr auto kNobody = kProbeUid;
    calls.push_back({"setuid", "the canary becomes what must die", {is(0, kNobody)}});
    calls.push_back({"setreuid", "the canary becomes what must die", {is(0, kNobody), is(1, kNobody)}});
    calls.push_back(
        {"setresuid", "the canary becomes what must die", {is(0, kNobody), is(1, kNobody), is(2, kNobody)}});
    calls.push_back({"prctl", "the helper goes when the daemon goes", {is(0, PR_SET_PDEATHSIG)}});
    for (const auto question : {PR_CAPBSET_READ, PR_GET_SECUREBITS})
        calls.push_back({"prctl", "libcap-ng asks what there is", {is(0, static_cast<unsigned>(question))}});
    calls.push_back(
        {"prctl", "libcap-ng asks what there is", {is(0, PR_CAP_AMBIENT), is(1, PR_CAP_AMBIENT_IS_SET)}});
}

void add_names(std::vector<AllowedCall>& calls) {
    add_calls(calls, "extended attributes of cgroups and units", {"getxattr", "fgetxattr"});
    add_calls(calls, "writing: state, masks, cgroup.kill, terminals, large records of the journal",
              {"pwrite64", "ftruncate", "chmod", "fchmodat", "umask", "mkdir", "mkdirat", "rmdir", "symlink",
               "symlinkat", "memfd_create"});
    add_calls(calls, "the control and gate sockets", {"listen", "accept4"});
    add_calls(calls, "who a process is, and its end, by pidfd",
              {"pidfd_open", "pidfd_send_signal", "pidfd_getfd", "waitid", "wait4"});
    add_calls(calls, "who it is itself, as libraries ask",
              {"getgroups", "getpgrp", "getpgid", "getsid", "getpriority"});
    add_calls(calls, "fork and program start, in canary and helper",
              {"fork", "vfork", "arch_prctl", "set_tid_address"});
}

std::vector<AllowedCall> make_table() {
    std::vector<AllowedCall> calls;
    add_common_calls(calls);
    add_arguments(calls);
    add_names(calls);
    return calls;
}

} // namespace

std::span<const AllowedCall> allowed_calls() {
    static const std::vector<AllowedCall> table = make_table();
    return table;
}

} // namespace escort
