// The kernel's own clock (bpf/clock.h): what ends a session that is dead or past its deadline while the
// daemon is down. Finds out which kind this kernel can have, by trying, and starts it. Ends nothing itself.
#pragma once

#include "base/result.h"

#include "abi.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct bpf_link;
struct escort_bpf;

namespace escort {

enum class ClockKind {
    none,      // deadlines hold at the hooks alone: fork, exec, change of identity
    samples,   // ... and for whatever runs when a processor's sample is taken; never for a task that sleeps
    timer,     // all tasks; but only when the timer fires on a processor that runs a process at that moment
    task_work, // all tasks, within a second
};
[[nodiscard]] const char* to_string(ClockKind kind);

// Must somebody else (PID 1, by pam_systemd's systemd.runtime_max_sec) end the sessions that sleep?
[[nodiscard]] constexpr bool needs_runtime_max(ClockKind kind) {
    return kind != ClockKind::task_work;
}

// The best kind that this kernel loads: tried with maps of its own, attached to nothing, some 100 ms. Never
// `none`: whether samples can be taken is known when they are attached.
[[nodiscard]] ClockKind probe_clock();

// Between opening and loading: only the programs of this kind are loaded.
void select_clock(escort_bpf& object, ClockKind kind);

// The links that this kind needs: one for each processor online, or none. To be kept and pinned as a hook's
// are.
[[nodiscard]] std::vector<std::string> clock_links(ClockKind kind);
struct FreeLink {
    void operator()(bpf_link* link) const;
};
// `name`: one of clock_links(). Error: this kernel, or whoever runs it, allows no samples (perf_event_open).
[[nodiscard]] Result<std::unique_ptr<bpf_link, FreeLink>> attach_sample(escort_bpf& object,
                                                                        const std::string& name);

// Sets the timer, or gives one that goes the programs of this object: to be called when its set acts, and
// again when the clock stands still. Nothing to do for kinds without one.
[[nodiscard]] Status wind_clock(const escort_bpf& object, ClockKind kind);

// What the timer says of itself. `map`: descriptor of `clock`.
[[nodiscard]] Result<escort_clock> read_clock(int map);

// Has the timer not looked for two seconds (boot-time ns), or says a time to come, as it never would? Then
// wind_clock() again. Always false of kinds without one.
[[nodiscard]] bool stands_still(const escort_clock& clock, ClockKind kind, std::uint64_t now_ns);

} // namespace escort
