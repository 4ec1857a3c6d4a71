#include "kernel/clock.h"

#include "base/fd.h"
#include "kernel/libbpf_log.h"
#include "kernel/object.h"

#include "escort.skel.h"

#include <algorithm>
#include <array>
#include <bpf/bpf.h>
#include <cerrno>
#include <linux/perf_event.h>
#include <memory>
#include <sys/syscall.h>
#include <unistd.h>

namespace escort {

namespace {

constexpr std::uint64_t kSampleNs = 100'000'000;     // 10 Hz on each processor that isn't idle
constexpr std::uint64_t kStillNs = 2'000'000'000ULL; // four ticks
constexpr const char* kSampleLink = "escort_sample-";

constexpr std::array kTimerKfuncs{"bpf_iter_task_new",   "bpf_iter_task_next", "bpf_iter_task_destroy",
                                  "bpf_rcu_read_lock",   "bpf_task_acquire",   "bpf_task_from_pid",
                                  "bpf_send_signal_task"};
// Since 7.0, and before; where a kernel has both, the older one is not as ours (object.h).
constexpr std::array kTaskWorkKfuncs{"bpf_task_work_schedule_signal", "bpf_task_work_schedule_signal_impl"};

// What the kernel's type information promises: the kind to try.
ClockKind promised() {
    const auto has = [](const char* name) { return kfuncs().usable.contains(name); };
    if (!std::all_of(kTimerKfuncs.begin(), kTimerKfuncs.end(), has)) return ClockKind::samples;
    return std::any_of(kTaskWorkKfuncs.begin(), kTaskWorkKfuncs.end(), has) ? ClockKind::task_work
                                                                            : ClockKind::timer;
}

Result<Fd> open_sample(int processor) {
    perf_event_attr attributes{};
    attributes.size = sizeof attributes;
    attributes.type = PERF_TYPE_SOFTWARE;
    attributes.config = PERF_COUNT_SW_CPU_CLOCK;
    attributes.sample_period = kSampleNs;
    attributes.exclude_idle = 1;
    const auto opened = ::syscall(SYS_perf_event_open, &attributes, -1, processor, -1, PERF_FLAG_FD_CLOEXEC);
    if (opened < 0) return fail_errno("clock", "perf_event_open", errno);
    return Fd(static_cast<int>(opened));
}

bool winds(ClockKind kind) {
    return kind == ClockKind::timer || kind == ClockKind::task_work;
}

} // namespace

const char* to_string(ClockKind kind) {
    switch (kind) {
    case ClockKind::task_work:
        return "task_work";
    case ClockKind::timer:
        return "timer";
    case ClockKind::samples:
        return "samples";
    case ClockKind::none:
        break;
    }
    return "none";
}

ClockKind probe_clock() {
    const ClockKind kind = promised();
    if (kind == ClockKind::samples) return kind;
    LibbpfLog log; // a refusal is an answer
    const Object object = open_object();
    if (!object) return ClockKind::samples;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object->obj) bpf_program__set_autoload(program, false);
    bpf_program__set_autoload(object->progs.escort_wind_clock, true);
    return escort_bpf__load(object.get()) == 0 ? kind : ClockKind::samples;
}

void select_clock(escort_bpf& object, ClockKind kind) {
    bpf_program__set_autoload(object.progs.escort_wind_clock, winds(kind));
    bpf_program__set_autoload(object.progs.escort_sample, kind == ClockKind::samples);
}

std::vector<std::string> clock_links(ClockKind kind) {
    std::vector<std::string> names;
    if (kind != ClockKind::samples) return names;
    const long count = ::sysconf(_SC_NPROCESSORS_ONLN);
    for (long processor = 0; processor < count; ++processor)
        names.push_back(kSampleLink + std::to_string(processor));
    return names;
}

void FreeLink::operator()(bpf_link* link) const {
    bpf_link__destroy(link);
}

Result<std::unique_ptr<bpf_link, FreeLink>> attach_sample(escort_bpf& object, const std::string& name) {
    LibbpfLog log;
    auto event = open_sample(std::stoi(name.substr(std::string(kSampleLink).size())));
    if (!event) return tl::unexpected<Error>(event.error());
    std::unique_ptr<bpf_link, FreeLink> link(
        bpf_program__attach_perf_event(object.progs.escort_sample, event->get()));
    if (!link) return fail_errno("clock", "attach " + log.last(), errno);
    (void)event->release(); // the link's
    return link;
}

Status wind_clock(const escort_bpf& object, ClockKind kind) {
    if (!winds(kind)) return {};
    LIBBPF_OPTS(bpf_test_run_opts, run);
    if (bpf_prog_test_run_opts(bpf_program__fd(object.progs.escort_wind_clock), &run) != 0)
        return fail_errno("clock", "run", errno);
    if (run.retval != 0) return fail("clock", "the timer can't be set: step " + std::to_string(run.retval));
    return {};
}

Result<escort_clock> read_clock(int map) {
    bpf_map_info info{};
    std::uint32_t size = sizeof info;
    if (bpf_obj_get_info_by_fd(map, &info, &size) != 0) return fail_errno("clock", "map", errno);
    std::vector<unsigned char> value(info.value_size);
    const std::uint32_t zero = 0;
    if (value.size() < sizeof(escort_clock) || bpf_map_lookup_elem(map, &zero, value.data()) != 0)
        return fail_errno("clock", "read", errno);
    escort_clock clock{};
    std::copy_n(value.data(), sizeof clock, reinterpret_cast<unsigned char*>(&clock));
    return clock;
}

bool stands_still(const escort_clock& clock, ClockKind kind, std::uint64_t now_ns) {
    return winds(kind) && (clock.tick_ns + kStillNs < now_ns || clock.tick_ns > now_ns + kStillNs);
}

} // namespace escort
