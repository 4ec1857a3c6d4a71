#include "kernel/programs.h"

#include "base/clock.h"
#include "kernel/carry.h"
#include "kernel/libbpf_log.h"
#include "kernel/own_maps.h"
#include "kernel/pins.h"

#include "abi.h"
#include "escort.skel.h"

#include <algorithm>
#include <array>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cerrno>
#include <fcntl.h>
#include <map>
#include <sys/stat.h>
#include <utility>

namespace escort {

namespace {

// Every program that is attached and pinned, by set of hooks. A program of HookSet::none belongs to each set.
struct Hook {
    const char* program;
    HookSet set;
    const char* function = nullptr; // where not every kernel has what it is attached to
};
constexpr std::array kHooks{
    Hook{"escort_newtask", HookSet::none},
    Hook{"escort_exec", HookSet::none},
    Hook{"escort_exit", HookSet::none},
    Hook{"escort_signal", HookSet::none},
    Hook{"escort_commit_creds", HookSet::fentry},
    Hook{"escort_attach", HookSet::fentry},
    Hook{"escort_load_data", HookSet::fentry},
    Hook{"escort_read_file", HookSet::fentry},
    Hook{"escort_own_map", HookSet::fentry},
    Hook{"escort_restored", HookSet::fentry, "add_vmfork_randomness"}, // with CONFIG_VMGENID
    Hook{"escort_capable", HookSet::capability},
    Hook{"escort_setuid", HookSet::tracepoints},
    Hook{"escort_setreuid", HookSet::tracepoints},
    Hook{"escort_setresuid", HookSet::tracepoints},
};

// Asked once of each: it takes some 30 ms.
bool kernel_has(const char* function) {
    static std::map<std::string, bool> known;
    const auto [found, fresh] = known.try_emplace(function, false);
    if (fresh) found->second = libbpf_find_vmlinux_btf_id(function, BPF_TRACE_FENTRY) > 0;
    return found->second;
}

bool belongs(const Hook& hook, HookSet set) {
    if (hook.set != HookSet::none && hook.set != set) return false;
    return hook.function == nullptr || kernel_has(hook.function);
}

// Which programs a set's pins were made for: the object's own bytes, so that an adopted set is this one.
std::string build_of(const escort_bpf& object, HookSet hooks) {
    return content_hash(object.skeleton->data, object.skeleton->data_sz) + "-" + to_string(hooks);
}

// The generation that the pinned map `owner` holds; 0: there is none.
std::uint64_t pinned_owner(const std::string& pins) {
    const Fd map(bpf_obj_get(map_pin(pins, "owner").c_str()));
    const std::uint32_t zero = 0;
    escort_owner owner{};
    if (!map.valid() || bpf_map_lookup_elem(map.get(), &zero, &owner) != 0) return 0;
    return owner.generation;
}

} // namespace

const char* to_string(HookSet hooks) {
    switch (hooks) {
    case HookSet::fentry:
        return "fentry";
    case HookSet::capability:
        return "capability";
    case HookSet::tracepoints:
        return "tracepoints";
    case HookSet::none:
        break;
    }
    return "none";
}

HookSet next_best(HookSet hooks) {
    switch (hooks) {
    case HookSet::fentry:
        return HookSet::capability;
    case HookSet::capability:
        return HookSet::tracepoints;
    case HookSet::tracepoints:
    case HookSet::none:
        break;
    }
    return HookSet::none;
}

Programs::Programs(Programs&&) noexcept = default;
Programs& Programs::operator=(Programs&&) noexcept = default;
Programs::~Programs() = default;

Result<Programs> Programs::start(const ProgramOptions& options) {
    if (auto ready = prepare_pins(options.pins); !ready) return tl::unexpected(ready.error());
    // Left behind by a start that didn't get to its end: it does nothing, and never will.
    const std::uint64_t owner = pinned_owner(options.pins);
    for (const auto& set : pinned_sets(options.pins))
        if (set.generation != owner) (void)remove_pins(set.folder);
    const ClockKind clock = probe_clock();
    std::string refused;
    for (HookSet hooks = options.best; hooks != HookSet::none; hooks = next_best(hooks)) {
        Programs programs;
        programs.pins_ = options.pins;
        programs.clock_ = clock;
        auto status = programs.load(options, hooks);
        if (status) status = programs.learn(options);
        if (status) status = programs.adopted_ ? programs.adopt_links() : programs.attach();
        if (status) {
            programs.note_ = refused;
            return programs;
        }
        if (!programs.adopted_) (void)remove_pins(programs.folder_);
        refused +=
            (refused.empty() ? "" : "; ") + std::string(to_string(hooks)) + ": " + status.error().text();
    }
    return fail("kernel programs", refused,
                "see `escortctl status`; this kernel may lack BTF or BPF tracing");
}

Status Programs::load(const ProgramOptions& options, HookSet hooks) {
    LibbpfLog log; // what libbpf says while this lives, for the error's text
    object_ = open_object();
    if (!object_) return fail_errno("kernel programs", "open", errno);
    hooks_ = hooks;
    const std::string build = build_of(*object_, hooks);
    generation_ = pinned_owner(pins_);
    PinnedSet set = pinned_set(pins_, generation_, build);
    const auto names = link_names();
    adopted_ = options.adopt && std::all_of(names.begin(), names.end(), [&](const std::string& name) {
                   return pin_inode(set.folder + "/" + name).has_value();
               });
    if (!adopted_) set = pinned_set(pins_, ++generation_, build);
    folder_ = set.folder;
    object_->rodata->own_generation = generation_;
    object_->rodata->looks_at_forks = hooks != HookSet::fentry;

    for (const auto& hook : kHooks) {
        bpf_program* program = bpf_object__find_program_by_name(object_->obj, hook.program);
        bpf_program__set_autoload(program, belongs(hook, hooks) && !adopted_);
    }
    select_clock(*object_, clock_);
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object_->obj) {
        if (bpf_map__is_internal(map)) continue;
        bpf_map__set_pin_path(map, map_pin(options.pins, bpf_map__name(map)).c_str());
    }
    if (const int error = escort_bpf__load(object_.get()); error != 0)
        return fail_errno("kernel programs", "load " + log.last(), -error);
    return {};
}

Status Programs::attach() {
    LibbpfLog log;
    (void)remove_pins(folder_);
    if (::mkdir(folder_.c_str(), 0700) != 0) return fail_errno(folder_, "create", errno);
    for (const auto& hook : kHooks) {
        if (!belongs(hook, hooks_)) continue;
        bpf_program* program = bpf_object__find_program_by_name(object_->obj, hook.program);
        const std::unique_ptr<bpf_link, int (*)(bpf_link*)> link(bpf_program__attach(program),
                                                                 bpf_link__destroy);
        if (!link) return fail_errno(hook.program, "attach " + log.last(), errno);
        if (auto kept = keep(hook.program, link.get()); !kept) return kept;
    }
    for (const auto& name : clock_links(clock_)) {
        const auto link = attach_sample(*object_, name);
        if (!link) {
            clock_ = ClockKind::none; // deadlines hold at the hooks alone; status and doctor say so
            break;
        }
        if (auto kept = keep(name, link->get()); !kept) return kept;
    }
    return {};
}

// What is attached and pinned in this set.
std::vector<std::string> Programs::link_names() const {
    std::vector<std::string> names = clock_links(clock_);
    for (const auto& hook : kHooks)
        if (belongs(hook, hooks_)) names.emplace_back(hook.program);
    return names;
}

// Pins the link and keeps a descriptor of it: either alone holds the program attached.
Status Programs::keep(const std::string& name, bpf_link* link) {
    if (const int error = bpf_link__pin(link, (folder_ + "/" + name).c_str()); error != 0)
        return fail_errno(name, "pin", -error);
    Fd fd(::fcntl(bpf_link__fd(link), F_DUPFD_CLOEXEC, 0));
    if (!fd.valid()) return fail_errno(name, "keep", errno);
    links_.push_back({name, std::move(fd)});
    return {};
}

Status Programs::adopt_links() {
    for (const auto& name : link_names()) {
        Fd fd(bpf_obj_get((folder_ + "/" + name).c_str()));
        if (!fd.valid()) return fail_errno(name, "adopt", errno);
        links_.push_back({name, std::move(fd)});
    }
    return {};
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
    // Sessions opened between this read and the write would reuse a number: only with maps that are in use,
    // whose config is complete but for the agent's own place, which the program below rewrites field by
    // field.
    if (config.ready == 0) {
        config.ready = 1;
        if (bpf_map_update_elem(fd, &zero, &config, BPF_ANY) != 0)
            return fail_errno("config", "write", errno);
    }
    if (auto named = name_own_maps(map("own_maps"), *object_->obj); !named) return named;
    LIBBPF_OPTS(bpf_test_run_opts, run);
    const int program = bpf_program__fd(object_->progs.escort_learn_agent);
    if (bpf_prog_test_run_opts(program, &run) != 0) return fail_errno("escort_learn_agent", "run", errno);
    if (run.retval != 0) return fail("escort_learn_agent", "this task's PID namespace can't be read");
    object_->links.escort_tasks = bpf_program__attach(object_->progs.escort_tasks);
    if (object_->links.escort_tasks == nullptr) return fail_errno("escort_tasks", "attach", errno);
    return {};
}

Status Programs::take_over() {
    const auto others = other_versions(pins_);
    std::vector<Carry> carries;
    for (const auto& folder : others) {
        auto carry = Carry::open(
            folder, {map("sessions"), map("verdicts"), map("also"), map("orphans"), map("config"), adjust()});
        if (carry) carries.push_back(std::move(*carry)); // else nothing of it was ever in use
    }
    // Until all is carried over, a label without a verdict may go on; what the old set has refused it has
    // signalled itself.
    if (!carries.empty())
        if (auto set = set_adopting(true); !set) return set;
    for (auto& carry : carries)
        if (auto done = carry.copy(); !done) return done;
    if (auto acts = act(); !acts) return acts;
    if (!wind_clock(*object_, clock_)) clock_ = ClockKind::none; // the hooks alone hold deadlines then
    for (const auto& set : pinned_sets(pins_))
        if (set.folder != folder_)
            if (auto gone = remove_pins(set.folder); !gone) return gone;
    for (const auto& folder : others)
        if (auto gone = remove_pins(folder); !gone) return gone;
    for (auto& carry : carries)
        if (auto done = carry.settle(); !done) return done;
    return carries.empty() ? Status{} : set_adopting(false);
}

Status Programs::set_adopting(bool adopting) const {
    const std::uint32_t zero = 0;
    escort_config config{};
    const int fd = map("config");
    if (bpf_map_lookup_elem(fd, &zero, &config) != 0) return fail_errno("config", "read", errno);
    config.adopting = adopting ? 1 : 0;
    if (bpf_map_update_elem(fd, &zero, &config, BPF_ANY) != 0) return fail_errno("config", "write", errno);
    return {};
}

std::uint64_t Programs::acting() const {
    const std::uint32_t zero = 0;
    escort_owner owner{};
    return bpf_map_lookup_elem(map("owner"), &zero, &owner) == 0 ? owner.generation : 0;
}

Status Programs::act() const {
    const std::uint32_t zero = 0;
    const escort_owner owner{generation_};
    if (bpf_map_update_elem(map("owner"), &zero, &owner, BPF_ANY) != 0)
        return fail_errno("owner", "write", errno);
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

int Programs::adjust() const {
    return bpf_program__fd(object_->progs.escort_adjust);
}

// Its link can be given another program (BPF_LINK_UPDATE, which links of other kinds refuse): the daemon
// would see no task any more. true: it was another's.
Result<bool> Programs::restore_iterator() const {
    bpf_link_info link{};
    bpf_prog_info program{};
    std::uint32_t size = sizeof link;
    if (bpf_obj_get_info_by_fd(iterator_link(), &link, &size) != 0)
        return fail_errno("escort_tasks", "read", errno);
    const int ours = bpf_program__fd(object_->progs.escort_tasks);
    size = sizeof program;
    if (bpf_obj_get_info_by_fd(ours, &program, &size) != 0) return fail_errno("escort_tasks", "read", errno);
    if (link.prog_id == program.id) return false;
    if (bpf_link_update(iterator_link(), ours, nullptr) != 0)
        return fail_errno("escort_tasks", "put back", errno);
    return true;
}

Programs::Repair Programs::repair() {
    Repair repair;
    const auto check = [&](const std::string& name, const std::string& path, int fd) {
        const auto there = pin_inode(path);
        auto& ours = pin_inodes_[path];
        if (there && ours == 0) ours = *there; // the first look
        if (there && *there == ours) return;
        repair.missing.push_back(name);
        if (!repair.status) return;
        repair.status = prepare_pins(pins_);
        if (!repair.status) return;
        if (::unlink(path.c_str()) != 0) ::rmdir(path.c_str()); // what somebody has put in its place
        if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST)
            repair.status = fail_errno(folder_, "create", errno);
        else if (bpf_obj_pin(fd, path.c_str()) != 0)
            repair.status = fail_errno(path, "pin", errno);
        else
            ours = pin_inode(path).value_or(0);
    };
    for (const auto& link : links_)
        check(link.name, folder_ + "/" + link.name, link.fd.get());
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object_->obj) {
        if (!bpf_map__is_internal(map))
            check(bpf_map__name(map), map_pin(pins_, bpf_map__name(map)), bpf_map__fd(map));
    }
    if (auto put = restore_iterator(); !put || *put) {
        repair.missing.emplace_back("escort_tasks");
        if (!put && repair.status) repair.status = tl::unexpected(put.error());
    }
    if (acting() != generation_) {
        repair.missing.emplace_back("owner");
        if (auto acts = act(); !acts) repair.status = acts;
    }
    const auto clock = read_clock(this->map("clock"));
    const bool late = clock && stands_still(*clock, clock_, boot_ns());
    // Seen twice in a row: once it may be late only because the machine has slept.
    if (late && clock_late_) {
        repair.missing.emplace_back("clock");
        if (auto wound = wind_clock(*object_, clock_); !wound) repair.status = wound;
    }
    clock_late_ = late;
    return repair;
}

Status Programs::remove_all(const std::string& pins) {
    return remove_pins(pins);
}

} // namespace escort
