#include "escortctl/doctor_host.h"

#include "base/fd.h"
#include "base/file.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <linux/magic.h>
#include <optional>
#include <sstream>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

namespace escort::ctl {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBtfBytes = std::size_t{256} << 20; // Debian's is 5 MB
constexpr std::size_t kPamBytes = std::size_t{1} << 20;
constexpr int kPamDepth = 8; // includes within each other

DoctorRow row(const char* part, const std::string& name, bool good, const std::string& yes,
              const std::string& no, const std::string& hint) {
    return {part, name, good ? "ok" : "missing", good ? yes : no, good ? "" : hint};
}

// Does the kernel's own type information know that name? Its names stand there as text, each with its NUL.
bool knows(const std::string& btf, std::string_view name) {
    return btf.find('\0' + std::string(name) + '\0') != std::string::npos;
}

bool there(const std::string& path) {
    std::error_code error;
    return fs::exists(path, error);
}

DoctorRow version_row() {
    utsname name{};
    if (::uname(&name) != 0) return {"kernel", "version", "not_probed", "unknown"};
    return {"kernel", "version", "ok", std::string(name.release) + " " + name.machine};
}

DoctorRow lsm_row(const HostPlaces& places) {
    const auto list = read_file(places.root + "/sys/kernel/security/lsm", 4096);
    const bool listed = list && ("," + *list + ",").find(",bpf,") != std::string::npos;
    return {"kernel", "tier deny (LSM programs)", "not_probed",
            std::string("not probed in this version; `bpf` is ") + (listed ? "" : "not ") +
                "among the kernel's security modules, which proves nothing"};
}

DoctorRow cgroup_row(const HostPlaces& places) {
    const std::string folder = places.root + "/sys/fs/cgroup";
    if (!there(folder + "/cgroup.controllers"))
        return row("host", "cgroup v2", false, "", "no unified tree at /sys/fs/cgroup",
                   "boot with systemd.unified_cgroup_hierarchy=1");
    bool kill = false, freeze = false; // the root has neither
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        if (!entry.is_directory(error)) continue;
        kill = kill || there(entry.path() / "cgroup.kill");
        freeze = freeze || there(entry.path() / "cgroup.freeze");
    }
    return row("host", "cgroup v2", kill && freeze, "cgroup.kill and cgroup.freeze are there",
               std::string(kill ? "" : "no cgroup.kill (5.14) ") + (freeze ? "" : "no cgroup.freeze (5.2)"),
               "sessions are then ended and frozen process by process: slower, not weaker");
}

DoctorRow bpffs_row(const HostPlaces& places) {
    const std::string parent = fs::path(places.pins).parent_path().string();
    struct statfs filesystem {};
    const bool good =
        ::statfs((places.root + parent).c_str(), &filesystem) == 0 &&
        static_cast<unsigned long>(filesystem.f_type) == static_cast<unsigned long>(BPF_FS_MAGIC);
    return row("host", "BPF filesystem", good, "at " + parent, "none at " + parent,
               "mount -t bpf bpf " + parent);
}

// What goes on deciding while the daemon is down. Which set has the word is not to be seen here.
DoctorRow pins_row(const HostPlaces& places) {
    std::error_code error;
    std::size_t programs = 0;
    const fs::recursive_directory_iterator entries(places.root + places.pins + "/sets", error);
    if (error == std::errc::permission_denied)
        return {"host", "pinned programs", "not_probed", "only root may look"};
    for (const auto& entry : entries)
        if (!entry.is_directory(error)) ++programs;
    return row("host", "pinned programs", programs > 0, std::to_string(programs) + " below " + places.pins,
               "none below " + places.pins, "systemctl restart escortd");
}

// Nothing is sent: who listens takes a connection that says nothing.
std::optional<int> try_connect(const std::string& path, int type) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return ENAMETOOLONG;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const Fd socket(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.valid()) return errno;
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
        return std::nullopt;
    return errno;
}

DoctorRow socket_row(const std::string& name, const std::string& path, int type, const std::string& hint) {
    const auto error = try_connect(path, type);
    if (error == EACCES || error == EPERM) return {"host", name, "not_probed", "only root may ask it"};
    return row("host", name, !error, "answers at " + path, path + ": " + (error ? std::strerror(*error) : ""),
               hint);
}

// A line of a stack: "[-]type control module ...", where control may be "[a=b c=d]"; or "@include file".
struct PamLine {
    std::string type, control, module;
};

std::optional<PamLine> pam_line(const std::string& text) {
    std::istringstream words(text.substr(0, text.find('#')));
    PamLine line;
    if (!(words >> line.type)) return std::nullopt;
    if (line.type == "@include") {
        line.control = line.type;
        words >> line.module;
        return line;
    }
    if (line.type.front() == '-') line.type.erase(0, 1);
    words >> line.control;
    while (line.control.starts_with('[') && !line.control.ends_with(']')) {
        std::string more;
        if (!(words >> more)) break;
        line.control += " " + more;
    }
    words >> line.module;
    return line;
}

bool gate_in(const std::string& folder, const std::string& file, std::string_view type, int depth) {
    const auto text = read_file(file.starts_with('/') ? file : folder + "/" + file, kPamBytes);
    if (!text || depth > kPamDepth) return false;
    std::istringstream lines(*text);
    for (std::string each; std::getline(lines, each);) {
        const auto line = pam_line(each);
        if (!line) continue;
        const bool whole = line->control == "@include"; // all types of that file
        if (!whole && line->type != type) continue;
        if (whole || line->control == "include" || line->control == "substack") {
            if (gate_in(folder, line->module, type, depth + 1)) return true;
        } else if (fs::path(line->module).filename() == "pam_escort.so") {
            return true;
        }
    }
    return false;
}

DoctorRow gate_row(const HostPlaces& places) {
    const std::string folder = places.root + "/etc/pam.d";
    std::string with, without;
    for (const char* program : {"sshd", "login", "su", "sudo", "cron", "crond", "atd"}) {
        if (!there(folder + "/" + program)) continue;
        const bool gated = has_gate(folder, program, "account") && has_gate(folder, program, "session");
        std::string& names = gated ? with : without;
        names += (names.empty() ? "" : ", ") + std::string(program);
    }
    if (with.empty() && without.empty())
        return {"host", "PAM gate", "not_probed",
                "no PAM stack of sshd, login, su, sudo, cron or at is here"};
    return row("host", "PAM gate", without.empty(), "in front of " + with, "not in front of " + without,
               "docs/pam-gate.md; until then `admission: gate` lets nobody in there");
}

} // namespace

bool has_gate(const std::string& pam_folder, const std::string& program, std::string_view type) {
    return gate_in(pam_folder, program, type, 0);
}

std::vector<DoctorRow> kernel_rows(const HostPlaces& places) {
    std::vector<DoctorRow> rows{version_row()};
    const auto btf = read_file(places.root + "/sys/kernel/btf/vmlinux", kBtfBytes);
    rows.push_back(row("kernel", "BTF", btf.has_value(), "the kernel describes its own types",
                       "no /sys/kernel/btf/vmlinux", "boot a kernel with CONFIG_DEBUG_INFO_BTF=y"));
    const std::string names = btf.value_or("");
    rows.push_back(row("kernel", "task storage", knows(names, "bpf_task_storage_get"), "there", "not there",
                       "needs 5.11 or later with CONFIG_BPF_LSM or tracing"));
    rows.push_back(row("kernel", "signal to another task", knows(names, "bpf_send_signal_task"),
                       "bpf_send_signal_task is there", "no bpf_send_signal_task (6.13)",
                       "a forked child of a dead session is then killed at its first hook or by the daemon"));
    rows.push_back(row("kernel", "own clock",
                       knows(names, "bpf_timer_init") && knows(names, "bpf_iter_task_new") &&
                           knows(names, "bpf_send_signal_task"),
                       "timers that reach every task", "no timer that reaches every task (6.13)",
                       "while the daemon is down a sample of what runs stands in, and PID 1 ends logins"));
    rows.push_back(lsm_row(places));
    return rows;
}

std::vector<DoctorRow> host_rows(const HostPlaces& places) {
    return {bpffs_row(places),
            pins_row(places),
            cgroup_row(places),
            gate_row(places),
            socket_row("gate socket", places.run + "/gate.sock", SOCK_SEQPACKET,
                       "support accounts are refused by PAM until it answers: systemctl status escortd"),
            socket_row("journald", places.root + "/run/systemd/journal/socket", SOCK_DGRAM,
                       "systemctl status systemd-journald; entries wait in the agent, then are counted")};
}

} // namespace escort::ctl
