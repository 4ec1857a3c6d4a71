#include "kernel/state.h"

#include "base/clock.h"
#include "kernel/own_maps.h"
#include "kernel/running_units.h"

#include <algorithm>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <set>
#include <span>

namespace escort {

namespace {

// Every key of a hash map. Keys that come or go meanwhile may be missed: callers reconcile.
template <typename Key>
std::vector<Key> keys_of(int map) {
    std::vector<Key> keys;
    Key previous{}, key{};
    // A map that is refilled under us starts over when `previous` is gone: bounded all the same.
    while (bpf_map_get_next_key(map, keys.empty() ? nullptr : &previous, &key) == 0) {
        keys.push_back(key);
        previous = key;
        if (keys.size() > std::size_t{ESCORT_MAX_SESSIONS} * 2) break;
    }
    return keys;
}

std::set<std::string> units_of(const std::vector<KernelRule>& rules) {
    std::set<std::string> units;
    for (const auto& rule : rules)
        if (rule.key.kind == ESCORT_RULE_UNIT) units.emplace(rule.value.unit);
    return units;
}

// Of values that were zeroed before they were filled, padding included.
template <typename T>
bool same_bytes(const T& left, const T& right) {
    const auto bytes = [](const T& value) { return std::as_bytes(std::span(&value, 1)); };
    return std::equal(bytes(left).begin(), bytes(left).end(), bytes(right).begin());
}

} // namespace

const char* counter_name(escort_counter counter) {
    switch (counter) {
    case ESCORT_COUNT_OPENED:
        return "opened";
    case ESCORT_COUNT_REFUSED:
        return "refused";
    case ESCORT_COUNT_SIGNAL_FAILED:
        return "signal_failed";
    case ESCORT_COUNT_LABEL_ORPHANED:
        return "label_orphaned";
    case ESCORT_COUNT_LABEL_LOST:
        return "label_lost";
    case ESCORT_COUNT_SESSION_NO_ROOM:
        return "session_no_room";
    case ESCORT_COUNT_RING_FULL:
        return "ring_full";
    case ESCORT_COUNT_THREAD_SPARED:
        return "thread_spared";
    case ESCORT_COUNT_UNGOVERNED:
        return "ungoverned";
    case ESCORT_COUNT_EXEMPTED:
        return "exempted";
    case ESCORT_COUNT_UNKNOWN_UID:
        return "unknown_uid";
    case ESCORT_COUNT_VERDICT_MISSING:
        return "verdict_missing";
    case ESCORT_COUNT_UNIT_NO_ROOM:
        return "unit_no_room";
    case ESCORT_COUNT_CARRIED:
        return "carried";
    case ESCORT_COUNT_EXEC_RECORDED:
        return "exec_recorded";
    case ESCORT_COUNT_EXEC_OVER:
        return "exec_over_budget";
    case ESCORT_COUNT_ACTIVITY_FULL:
        return "activity_full";
    case ESCORT_COUNT_CLOCK_KILLED:
        return "clock_killed";
    case ESCORT_COUNT_TAMPER:
        return "tamper";
    case ESCORT_COUNT_MAX:
        break;
    }
    return "";
}

bool KernelRule::operator==(const KernelRule& other) const {
    return same_bytes(key, other.key) && same_bytes(value, other.value);
}

KernelState::KernelState(const Programs& programs)
    : labels_(programs.map("labels")),
      sessions_(programs.map("sessions")),
      verdicts_(programs.map("verdicts")),
      also_(programs.map("also")),
      rules_(programs.map("rules")),
      known_(programs.map("known_uids")),
      config_(programs.map("config")),
      counters_(programs.map("counters")),
      ring_(programs.map("lifecycle")),
      request_(programs.map("iter_request")),
      adopted_(programs.map("adopted")),
      restored_(programs.map("restored")),
      own_maps_(programs.map("own_maps")),
      exited_(programs.map("exited")),
      unit_tasks_(programs.map("unit_tasks")),
      units_since_(programs.map("units_since")),
      iterator_(programs.iterator_link()),
      open_session_(programs.open_session()) {}

// The names of units and the patterns of programs count as keys: only numbers are written in place.
bool KernelState::same_keys(const std::vector<KernelRule>& rules) const {
    return inner_.valid() &&
           std::equal(rules.begin(), rules.end(), in_force_.begin(), in_force_.end(),
                      [](const KernelRule& left, const KernelRule& right) {
                          return std::memcmp(&left.key, &right.key, sizeof left.key) == 0 &&
                                 std::memcmp(left.value.pattern, right.value.pattern, ESCORT_PATTERN) == 0;
                      });
}

Status KernelState::prepare_units(const std::vector<KernelRule>& rules) const {
    auto fresh = units_of(rules);
    const bool any = !fresh.empty();
    const std::uint32_t zero = 0;
    std::uint64_t since = 0;
    if (bpf_map_lookup_elem(units_since_, &zero, &since) != 0)
        return fail_errno("units_since", "read", errno);
    if (any != (since != 0)) {
        since = any ? boot_ns() : 0;
        if (bpf_map_update_elem(units_since_, &zero, &since, BPF_ANY) != 0)
            return fail_errno("units_since", "write", errno);
    }
    for (const auto& known : units_of(in_force_))
        fresh.erase(known);
    return fresh.empty() ? Status{} : note_running_units(*this, fresh);
}

Status KernelState::set_rules(const std::vector<KernelRule>& rules) {
    if (same_keys(rules)) {
        for (std::size_t i = 0; i < rules.size(); i++) {
            if (rules[i] == in_force_[i]) continue;
            if (bpf_map_update_elem(inner_.get(), &rules[i].key, &rules[i].value, BPF_EXIST) != 0)
                return fail_errno("rules", "write", errno);
            in_force_[i] = rules[i];
        }
        return {};
    }
    if (auto ready = prepare_units(rules); !ready) return ready;
    const auto entries = static_cast<__u32>(std::max<std::size_t>(rules.size(), 1));
    Fd inner(bpf_map_create(BPF_MAP_TYPE_HASH, "rules_inner", sizeof(escort_rule_key), sizeof(escort_rule),
                            entries, nullptr));
    if (!inner.valid()) return fail_errno("rules", "create", errno);
    for (const auto& rule : rules)
        if (bpf_map_update_elem(inner.get(), &rule.key, &rule.value, BPF_NOEXIST) != 0)
            return fail_errno("rules", "fill", errno);
    const std::uint32_t zero = 0;
    const int fd = inner.get();
    if (bpf_map_update_elem(rules_, &zero, &fd, BPF_ANY) != 0) return fail_errno("rules", "flip", errno);
    const auto named = name_own_map(own_maps_, fd);
    if (!named) return tl::unexpected(named.error());
    if (inner_id_ != 0) forget_own_map(own_maps_, inner_id_);
    inner_id_ = *named;
    inner_ = std::move(inner);
    in_force_ = rules;
    return {};
}

Status KernelState::set_verdict(std::uint64_t id, const escort_verdict& verdict) const {
    const auto told = told_.find(id);
    const auto facts = told == told_.end() ? session(id) : std::nullopt;
    // Not where it was refused at its birth: what was spared then may be approved.
    const bool judged_live = told == told_.end() ? facts && (facts->flags & ESCORT_SESSION_REFUSED) == 0
                                                 : (told->second.flags & ESCORT_VERDICT_DEAD) == 0;
    escort_verdict written = verdict;
    // What the kernel has marked dead since (an attack) stays so, whether we have heard of it or not.
    if (escort_verdict found{}; judged_live && bpf_map_lookup_elem(verdicts_, &id, &found) == 0)
        written.flags |= found.flags & ESCORT_VERDICT_DEAD;
    if (bpf_map_update_elem(verdicts_, &id, &written, BPF_EXIST) != 0)
        return fail_errno("verdicts", "write", errno);
    told_[id] = verdict;
    return {};
}

std::optional<escort_verdict> KernelState::verdict(std::uint64_t id) const {
    escort_verdict value{};
    if (bpf_map_lookup_elem(verdicts_, &id, &value) != 0) return std::nullopt;
    return value;
}

void KernelState::forbid_also(std::uint64_t id, std::uint32_t uid) const {
    const escort_also_key key{id, uid, 0};
    bpf_map_delete_elem(also_, &key);
}

Status KernelState::allow_also(std::uint64_t id, std::uint32_t uid) const {
    const escort_also_key key{id, uid, 0};
    const std::uint32_t one = 1;
    if (bpf_map_update_elem(also_, &key, &one, BPF_ANY) != 0) return fail_errno("also", "write", errno);
    return {};
}

std::optional<escort_session> KernelState::session(std::uint64_t id) const {
    escort_session value{};
    if (bpf_map_lookup_elem(sessions_, &id, &value) != 0) return std::nullopt;
    return value;
}

std::vector<KernelSession> KernelState::sessions() const {
    std::vector<KernelSession> all;
    for (const auto id : keys_of<std::uint64_t>(sessions_))
        if (const auto facts = session(id)) all.push_back({id, *facts});
    return all;
}

Result<std::uint64_t> KernelState::open_session(std::uint32_t uid, std::uint32_t entry,
                                                const escort_verdict& verdict) const {
    escort_open_request request{verdict.deadline_ns, 0, uid, entry, verdict.flags, ESCORT_SESSION_GATED};
    LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &request, .ctx_size_in = sizeof request); // written back
    if (bpf_prog_test_run_opts(open_session_, &run) != 0)
        return fail_errno("escort_open_session", "run", errno);
    if (request.id == 0) return fail("escort_open_session", "there is no room for one more session");
    return request.id;
}

Status KernelState::label(int pidfd, std::uint64_t id) const {
    const escort_label label{id, 0, 0};
    if (bpf_map_update_elem(labels_, &pidfd, &label, BPF_NOEXIST) != 0)
        return fail_errno("labels", "write", errno);
    // One that exited before it was labelled is not counted out by the kernel.
    pollfd gone{pidfd, POLLIN, 0};
    if (::poll(&gone, 1, 0) != 0) return fail("labels", "the task is gone");
    return {};
}

void KernelState::forget(std::uint64_t id, const std::vector<std::uint32_t>& also) const {
    for (const auto uid : also) {
        const escort_also_key key{id, uid, 0};
        bpf_map_delete_elem(also_, &key);
    }
    bpf_map_delete_elem(sessions_, &id);
    bpf_map_delete_elem(verdicts_, &id);
    told_.erase(id);
}

void KernelState::set_known(std::uint32_t uid) const {
    const std::uint32_t one = 1;
    bpf_map_update_elem(known_, &uid, &one, BPF_ANY); // lost: the uid is looked up once more
}

void KernelState::clear_known() const {
    for (const auto uid : keys_of<std::uint32_t>(known_))
        bpf_map_delete_elem(known_, &uid);
}

void KernelState::clear_known(std::uint32_t uid) const {
    bpf_map_delete_elem(known_, &uid);
}

Result<std::vector<escort_task>> KernelState::iterate(escort_iter_mode mode, std::uint64_t id) const {
    const std::uint32_t zero = 0;
    const escort_iter_request request{static_cast<__u32>(mode), 0, id};
    if (bpf_map_update_elem(request_, &zero, &request, BPF_ANY) != 0)
        return fail_errno("iter_request", "write", errno);
    const Fd pass(bpf_iter_create(iterator_));
    if (!pass.valid()) return fail_errno("escort_tasks", "create", errno);

    std::vector<escort_task> tasks;
    std::array<char, sizeof(escort_task) * 128> buffer{};
    std::size_t filled = 0;
    for (;;) {
        const ssize_t got = ::read(pass.get(), buffer.data() + filled, buffer.size() - filled);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got < 0) return fail_errno("escort_tasks", "read", errno);
        if (got == 0) return tasks;
        filled += static_cast<std::size_t>(got);
        const std::size_t whole = filled / sizeof(escort_task);
        const std::size_t before = tasks.size();
        tasks.resize(before + whole);
        std::memcpy(tasks.data() + before, buffer.data(), whole * sizeof(escort_task));
        filled -= whole * sizeof(escort_task);
        std::memmove(buffer.data(), buffer.data() + whole * sizeof(escort_task), filled);
    }
}

Result<std::vector<escort_task>> KernelState::labelled(std::uint64_t id) const {
    return iterate(ESCORT_ITER_LABELLED, id);
}

Status KernelState::end_due(std::uint64_t id) const {
    const auto none = iterate(ESCORT_ITER_END, id);
    if (!none) return tl::unexpected(none.error());
    return {};
}

Result<std::vector<escort_task>> KernelState::adopt() const {
    struct AdoptKey {
        std::uint64_t cgroup_id;
        std::uint32_t uid;
        std::uint32_t audit_session;
    };
    for (const auto& key : keys_of<AdoptKey>(adopted_))
        bpf_map_delete_elem(adopted_, &key);

    std::vector<escort_task> all;
    for (int pass = 0; pass < 8; pass++) {
        auto found = iterate(ESCORT_ITER_ADOPT, 0);
        if (!found) return found;
        bool fresh = false;
        for (const auto& task : *found) {
            const bool adopted = (task.flags & ESCORT_TASK_ADOPTED) != 0;
            fresh = fresh || adopted;
            if (adopted || pass == 0) all.push_back(task);
        }
        if (!fresh) break;
    }
    return all;
}

std::optional<std::uint64_t> KernelState::label_of(int pidfd) const {
    escort_label label{};
    if (bpf_map_lookup_elem(labels_, &pidfd, &label) != 0) return std::nullopt;
    return label.id;
}

std::optional<std::uint64_t> KernelState::label_of_exited(std::uint32_t pid) const {
    escort_exited exited{};
    if (bpf_map_lookup_elem(exited_, &pid, &exited) != 0) return std::nullopt;
    constexpr auto kNs = static_cast<std::uint64_t>(std::chrono::nanoseconds(kExitedFor).count());
    if (boot_ns() - exited.time_ns > kNs) return std::nullopt;
    return exited.id;
}

Status KernelState::set_unit_task(int pidfd, const escort_unit_task& task) const {
    if (bpf_map_update_elem(unit_tasks_, &pidfd, &task, BPF_NOEXIST) != 0)
        return fail_errno("unit_tasks", "write", errno);
    return {};
}

std::optional<escort_unit_task> KernelState::unit_task(int pidfd) const {
    escort_unit_task task{};
    if (bpf_map_lookup_elem(unit_tasks_, &pidfd, &task) != 0) return std::nullopt;
    return task;
}

Counters KernelState::counters() const {
    Counters sums{};
    std::vector<std::uint64_t> per_cpu(static_cast<std::size_t>(std::max(libbpf_num_possible_cpus(), 1)));
    for (std::uint32_t i = 0; i < ESCORT_COUNT_MAX; i++) {
        if (bpf_map_lookup_elem(counters_, &i, per_cpu.data()) != 0) continue;
        for (const auto value : per_cpu)
            sums[i] += value;
    }
    return sums;
}

bool KernelState::is_unheard_copy() const {
    std::uint32_t seen = 0, heard = 0;
    const std::uint32_t first = ESCORT_RESTORED_SEEN, second = ESCORT_RESTORED_HEARD;
    return bpf_map_lookup_elem(restored_, &first, &seen) == 0 &&
           bpf_map_lookup_elem(restored_, &second, &heard) == 0 && seen != heard;
}

void KernelState::heard_of_copy() const {
    std::uint32_t seen = 0;
    const std::uint32_t first = ESCORT_RESTORED_SEEN, second = ESCORT_RESTORED_HEARD;
    if (bpf_map_lookup_elem(restored_, &first, &seen) == 0)
        (void)bpf_map_update_elem(restored_, &second, &seen, BPF_ANY);
}

std::uint64_t KernelState::next_number() const {
    const std::uint32_t zero = 0;
    escort_config config{};
    return bpf_map_lookup_elem(config_, &zero, &config) == 0 ? config.next : 0;
}

} // namespace escort
