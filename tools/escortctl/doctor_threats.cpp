#include "escortctl/doctor_threats.h"

#include <string_view>

namespace escort::ctl {

namespace {

// Rows that some kernels hold less of.
constexpr Threat kSyscalls{
    "I13", "own PID namespace, 32-bit calls", Held::partly,
    "these hooks don't see a 32-bit set*uid call: such a task is found at its next fork or exec, or "
    "when a daemon starts"};
constexpr Threat kCapability{
    "I5", "sudo -u, runuser, setpriv", Held::partly,
    "these hooks ask for CAP_SETUID: a root program that takes the account's effective uid first, and its "
    "real one without the capability, is found at its next fork or exec, or when a daemon starts"};
constexpr Threat kAttachCapability{
    "O9", "ptrace or /proc/PID/mem into others", Held::partly,
    "these hooks see ptrace(2) and process_vm_*(2) of another account's processes; /proc/PID/mem, and root's "
    "processes by root, go unseen: needs trampolines (CONFIG_FUNCTION_TRACER)"};
constexpr Threat kAttachUnseen{"O9", "ptrace or /proc/PID/mem into others", Held::no,
                               "these hooks don't see it: needs trampolines (CONFIG_FUNCTION_TRACER)"};
constexpr Threat kKernelUnseen{
    "O10", "as root: new units, containers, kernel", Held::partly,
    "files that others take orders from are seen; modules, a next kernel, and "
    "what a session asks of PID 1 or of a container daemon are not: needs trampolines, and tier deny"};
constexpr Threat kOldSignals{
    "O2", "fork bomb during the kill", Held::partly,
    "this kernel can't signal a child at its birth: one that finds no memory for its label beside 4,096 "
    "others without, or sleeps under a pid that its session has chosen, may outlive the session"};
constexpr Threat kCopy{"A4", "lists replayed or withheld, clock set", Held::partly,
                       "a restored snapshot goes on with the windows that it had: the kernel doesn't tell of "
                       "it (CONFIG_VMGENID, with trampolines)"};
constexpr Threat kTimer{"deadline", "past its end while the daemon is down", Held::partly,
                        "the clock reaches a task only when it ticks on a processor that runs something: "
                        "seconds on an idle host"};
constexpr Threat kSampled{
    "deadline", "past its end while the daemon is down", Held::partly,
    "the clock samples what runs: a sleeping task dies when it wakes, a login's scope by PID 1 at the "
    "approval's own end"};
constexpr Threat kNoClock{
    "deadline", "past its end while the daemon is down", Held::partly,
    "no clock in the kernel: a session that neither forks, execs nor changes its identity lives until the "
    "daemon is back"};

} // namespace

const char* to_string(Held held) {
    switch (held) {
    case Held::yes:
        return "holds";
    case Held::detected:
        return "detected";
    case Held::partly:
        return "in part";
    case Held::no:
        break;
    }
    return "not held";
}

const std::vector<Threat>& threats() {
    static const std::vector<Threat> all{
        {"I1", "ssh"},
        {"I2", "sftp and scp"},
        {"I3", "ssh -N -L, -R, -D"},
        {"I4", "su"},
        {"I5", "sudo -u, runuser, setpriv"},
        {"I6", "login on a console"},
        {"I7", "cron and at"},
        {"I8", "started by PID 1"},
        {"I9", "a guest agent as root"},
        {"I10", "set-user-ID program"},
        {"I11", "there before the agent, or during its restart"},
        {"I12", "an approval that doesn't fit"},
        {"I13", "own PID namespace, 32-bit calls"},
        {"O1", "setsid, nohup, double fork, tmux, screen"},
        {"O2", "fork bomb during the kill"},
        {"O3", "systemd-run --user, user timers, D-Bus"},
        {"O4", "at and cron jobs due later"},
        {"O5", "sudo to root, su to a third account"},
        {"O6", "namespaces, other cgroups"},
        {"O7", "vfork, threads, memfd, io_uring"},
        {"O8", "login uid rewritten"},
        {"O9", "ptrace or /proc/PID/mem into others", Held::detected, "refusing it needs tier deny"},
        {"O10", "as root: new units, containers, kernel", Held::partly,
         "modules, a next kernel and files that others take orders from are seen; what a session asks of PID "
         "1 "
         "or of a container daemon is not: needs tier deny"},
        {"O11", "a key or an account left behind", Held::partly,
         "a new account that a policy names is governed at once, a key of root's is seen; one in another "
         "account that no policy names is not: needs tier deny"},
        {"O12", "ignores every signal, stops itself"},
        {"deadline", "past its end while the daemon is down"},
        {"A1", "the daemon killed or masked by a session", Held::detected,
         "refusing it needs tier deny; the pinned programs go on deciding meanwhile"},
        {"A2", "pins, maps, programs attacked by a session", Held::detected, "refusing it needs tier deny"},
        {"A3", "policy, keys, spool, state changed by a session", Held::detected,
         "refusing it needs tier deny"},
        {"A4", "lists replayed or withheld, clock set"},
        {"A5", "broker down or hostile"},
        {"A6", "event flood"},
        {"A7", "journald, disk, memory, descriptors gone", Held::partly,
         "a host follows 16,384 sessions: who runs already when a policy comes, and finds no room, lives "
         "until his next exec or until there is some"},
        {"A8", "malformed input"},
        {"A9", "an ordinary user on the sockets"},
        {"B1", "everybody else's processes"},
        {"B2", "containers with the account's uid"},
        {"B3", "outside the agent's PID namespace"},
        {"B4", "exempt root jobs"},
        {"B5", "an approved session beside a denied one"},
        {"B6", "everybody, when the agent has a bad day"},
        {"B7", "the next approved session after many denied"},
        {"B8", "daemons that take the account's uid for a moment"},
        {"B9", "daemons with a support login uid"},
    };
    return all;
}

std::vector<Threat> not_held(const Means& means) {
    if (means.tier != "kill" && means.tier != "deny")
        return {{"all", "every row", Held::no, "enforcement is not proven: see the rows above"}};
    std::vector<Threat> open;
    for (const Threat& threat : threats()) {
        const std::string_view id = threat.id;
        if (id == "O9" && means.hooks == "tracepoints")
            open.push_back(kAttachUnseen);
        else if (id == "O10" && means.hooks == "tracepoints")
            open.push_back(kKernelUnseen);
        else if (id == "O9" && means.hooks == "capability")
            open.push_back(kAttachCapability);
        else if (threat.held != Held::yes)
            open.push_back(threat);
        else if (id == "A4" && !means.copies)
            open.push_back(kCopy);
        else if (id == "O2" && means.clock != "task_work" && means.clock != "timer") // both since 6.13
            open.push_back(kOldSignals);
        else if (id == "I13" && means.hooks == "tracepoints")
            open.push_back(kSyscalls);
        else if (id == "I5" && means.hooks == "capability")
            open.push_back(kCapability);
        else if (id == "deadline" && means.clock == "timer")
            open.push_back(kTimer);
        else if (id == "deadline" && means.clock == "samples")
            open.push_back(kSampled);
        else if (id == "deadline" && means.clock != "task_work")
            open.push_back(kNoClock);
    }
    return open;
}

} // namespace escort::ctl
