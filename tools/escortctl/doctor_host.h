// What can be seen of this host without the daemon: the kernel's means, the mounts, who has the PAM gate in
// front of him, who listens. Looks only; what a file says is no proof that a program fires, and none is
// claimed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace escort::ctl {

// A line of `doctor`. `state`: proven, not_proven, ok, missing, not_probed.
struct DoctorRow {
    std::string part; // "kernel", "host"; of the daemon: "hook", "canary", "agent"
    std::string name;
    std::string state;
    std::string detail;
    std::string hint{};
};

struct HostPlaces {
    std::string root; // before every path that is not of the settings; empty on a real host
    std::string pins = "/sys/fs/bpf/escortd";
    std::string run = "/run/escortd";
};

[[nodiscard]] std::vector<DoctorRow> kernel_rows(const HostPlaces& places);
[[nodiscard]] std::vector<DoctorRow> host_rows(const HostPlaces& places);

// Whether the module pam_escort.so stands in that program's stack of PAM, through its includes (pam.conf(5)).
// `type`: "account", "session", "auth".
[[nodiscard]] bool has_gate(const std::string& pam_folder, const std::string& program, std::string_view type);

} // namespace escort::ctl
