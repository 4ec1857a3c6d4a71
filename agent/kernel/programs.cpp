#include "kernel/programs.h"

#include "kernel/libbpf_log.h"
#include "kernel/pins.h"

#include "abi.h"
#include "escort.skel.h"

#include <array>
#include <bpf/bpf.h>
#include <cerrno>
#include <filesystem>
#include <utility>

namespace escort {

namespace {

// Every program that is attached and pinned, by set of hooks. A program of HookSet::none belongs to each set.
struct Hook {
    const char* program;
    HookSet set;
};
constexpr std::array kHooks{
    Hook{"escort_newtask", HookSet::none},
    Hook{"escort_exec", HookSet::none},
    Hook{"escort_exit", HookSet::none},
    Hook{"escort_commit_creds", HookSet::fentry},
    Hook{"escort_setuid", HookSet::tracepoints},
    Hook{"escort_setreuid", HookSet::tracepoints},
    Hook{"escort_setresuid", HookSet::tracepoints},
};

bool belongs(const Hook& hook, HookSet set) {
    return hook.set == HookSet::none || hook.set == set;
}

// Which programs the maps' pins were made for: the object's own bytes, so that an adopted set is this one.
std::string build_of(const escort_bpf& object) {
    return content_hash(object.skeleton->data, object.skeleton->data_sz);
}

} // namespace

const char* to_string(HookSet hooks) {
    switch (hooks) {
    case HookSet::fentry:
        return "fentry";
    case HookSet::tracepoints:
        return "tracepoints";
    case HookSet::none:
        break;
    }
    return "none";
}

void Programs::Close::operator()(escort_bpf* object) const {
    escort_bpf__destroy(object);
}
Programs::Programs(Programs&&) noexcept = default;
Programs& Programs::operator=(Programs&&) noexcept = default;
Programs::~Programs() = default;

Result<Programs> Programs::start(const ProgramOptions& options) {
    if (auto ready = prepare_pins(options.pins, ESCORT_ABI); !ready) return tl::unexpected(ready.error());
    std::string refused;
    for (const HookSet hooks : {HookSet::fentry, HookSet::tracepoints}) {
        if (hooks == HookSet::fentry && !options.allow_fentry) continue;
        Programs programs;
        programs.pins_ = options.pins;
        auto status = programs.load(options, hooks);
        if (status) status = programs.learn(options);
        if (status && !programs.adopted_) status = programs.attach(options);
        if (status) {
            programs.note_ = refused;
            return programs;
        }
        refused = std::string(to_string(hooks)) + ": " + status.error().text();
    }
    return fail("kernel programs", refused,
                "see `escortctl status`; this kernel may lack BTF or BPF tracing");
}

Status Programs::load(const ProgramOptions& options, HookSet hooks) {
    LibbpfLog log; // what libbpf says while this lives, for the error's text
    object_.reset(escort_bpf__open());
    if (!object_) return fail_errno("kernel programs", "open", errno);
    hooks_ = hooks;
    const std::string build = build_of(*object_) + "-" + to_string(hooks);
    adopted_ = read_build(options.pins) == build;
    for (const auto& hook : kHooks)
        if (adopted_ && belongs(hook, hooks) && !link_pinned(options.pins, hook.program)) adopted_ = false;

    for (const auto& hook : kHooks) {
        bpf_program* program = bpf_object__find_program_by_name(object_->obj, hook.program);
        bpf_program__set_autoload(program, belongs(hook, hooks) && !adopted_);
    }
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object_->obj) {
        if (bpf_map__is_internal(map)) continue;
        bpf_map__set_pin_path(map, map_pin(options.pins, bpf_map__name(map)).c_str());
    }
    if (const int error = escort_bpf__load(object_.get()); error != 0)
        return fail_errno("kernel programs", "load " + log.last(), -error);
    return {};
}

Status Programs::attach(const ProgramOptions& options) {
    LibbpfLog log;
    // The old set goes when the new one is loaded and only its attachment is left: an instant, which the
    // scan that follows covers.
    if (auto gone = drop_links(options.pins); !gone) return gone;
    for (const auto& hook : kHooks) {
        if (!belongs(hook, hooks_)) continue;
        bpf_program* program = bpf_object__find_program_by_name(object_->obj, hook.program);
        const std::unique_ptr<bpf_link, int (*)(bpf_link*)> link(bpf_program__attach(program),
                                                                 bpf_link__destroy);
        if (!link) return fail_errno(hook.program, "attach " + log.last(), errno);
        if (const int error = bpf_link__pin(link.get(), link_pin(options.pins, hook.program).c_str());
            error != 0)
            return fail_errno(hook.program, "pin", -error);
    }
    return write_build(options.pins, build_of(*object_) + "-" + to_string(hooks_));
}

Status Programs::learn(const ProgramOptions& options) {
    const std::uint32_t zero = 0;
    escort_config config{};
    const int fd = map("config");
    if (bpf_map_lookup_elem(fd, &zero, &config) != 0) return fail_errno("config", "read", errno);
    if (config.next == 0) config.next = options.first_number;
    config.abi = ESCORT_ABI;
    config.boot = options.boot;
    config.uid_min = options.uid_min;
    // Sessions opened between this read and the write would reuse a number: only with adopted programs, whose
    // config is complete but for the agent's own place, which the program below rewrites field by field.
    if (config.ready == 0) {
        config.ready = 1;
        if (bpf_map_update_elem(fd, &zero, &config, BPF_ANY) != 0)
            return fail_errno("config", "write", errno);
    }
    LIBBPF_OPTS(bpf_test_run_opts, run);
    const int program = bpf_program__fd(object_->progs.escort_learn_agent);
    if (bpf_prog_test_run_opts(program, &run) != 0) return fail_errno("escort_learn_agent", "run", errno);
    if (run.retval != 0) return fail("escort_learn_agent", "this task's PID namespace can't be read");
    object_->links.escort_tasks = bpf_program__attach(object_->progs.escort_tasks);
    if (object_->links.escort_tasks == nullptr) return fail_errno("escort_tasks", "attach", errno);
    return {};
}

int Programs::map(const char* name) const {
    return bpf_object__find_map_fd_by_name(object_->obj, name);
}

int Programs::iterator_link() const {
    return bpf_link__fd(object_->links.escort_tasks);
}

int Programs::open_session() const {
    return bpf_program__fd(object_->progs.escort_open_session);
}

std::vector<std::string> Programs::missing_pins() const {
    std::vector<std::string> missing;
    for (const auto& hook : kHooks)
        if (belongs(hook, hooks_) && !link_pinned(pins_, hook.program)) missing.emplace_back(hook.program);
    return missing;
}

Status Programs::remove_pins(const std::string& pins) {
    std::error_code error;
    std::filesystem::remove_all(pins, error);
    if (error) return fail(pins, "remove: " + error.message());
    return {};
}

} // namespace escort
