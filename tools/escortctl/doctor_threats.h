// The rows of the threat model (docs/threat-model.md) as tier `kill` holds them, and what this kernel takes
// away from that. A table; knows nothing of the host it runs on.
#pragma once

#include <string>
#include <vector>

namespace escort::ctl {

enum class Held {
    yes,      // as the row says
    detected, // not prevented: seen, logged, and the session dies
    partly,
    no,
};
[[nodiscard]] const char* to_string(Held held); // "holds", "detected", "in part", "not held"

struct Threat {
    const char* id;
    const char* title;
    Held held = Held::yes;
    const char* why = ""; // where it doesn't hold whole
};
[[nodiscard]] const std::vector<Threat>& threats();

// What decides of how much holds on a host.
struct Means {
    std::string tier;    // kill | deny; else nothing is proven
    std::string hooks;   // none | fentry | capability | tracepoints
    std::string clock;   // none | samples | timer | task_work (kernel/clock.h)
    bool copies = false; // the kernel tells of a restored snapshot (hook escort_restored)
};

// What does not hold whole with those means. Without a tier nothing does: one row says so.
[[nodiscard]] std::vector<Threat> not_held(const Means& means);

} // namespace escort::ctl
