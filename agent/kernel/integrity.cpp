// What somebody else has written into the maps (threats.md, A2). Only root can, and a root that wanted to
// could write it a thousand times a second: this is to be seen, not to be stopped (that takes tier `deny`).
#include "kernel/state.h"

#include <algorithm>
#include <bpf/bpf.h>
#include <cstring>

namespace escort {

namespace {

std::optional<std::uint32_t> map_id(int map) {
    bpf_map_info info{};
    __u32 length = sizeof info;
    if (bpf_obj_get_info_by_fd(map, &info, &length) != 0) return std::nullopt;
    return info.id;
}

// What the daemon alone writes in it, and never changes.
bool same_place(const escort_config& left, const escort_config& right) {
    return left.abi == right.abi && left.ready == right.ready && left.pid_ns == right.pid_ns &&
           left.pid_ns_level == right.pid_ns_level && left.user_ns == right.user_ns &&
           left.root_dev == right.root_dev && left.root_ino == right.root_ino &&
           left.cgroup_root == right.cgroup_root && left.boot == right.boot &&
           left.uid_min == right.uid_min && left.adopting == right.adopting &&
           left.kernel_agent == right.kernel_agent;
}

} // namespace

std::vector<std::string> KernelState::restore() {
    std::vector<std::string> changed;
    restore_verdicts(changed);
    restore_rules(changed);
    restore_config(changed);
    return changed;
}

void KernelState::restore_verdicts(std::vector<std::string>& changed) const {
    for (auto entry = told_.begin(); entry != told_.end();) {
        const auto& [id, told] = *entry;
        escort_verdict found{};
        const bool there = bpf_map_lookup_elem(verdicts_, &id, &found) == 0;
        if (!there && !session(id)) { // the kernel removes a refused session itself
            entry = told_.erase(entry);
            continue;
        }
        ++entry;
        // Dead is what the kernel says too, of a session that attacks the agent.
        if ((found.flags & ~told.flags & ESCORT_VERDICT_DEAD) != 0) dead_.insert(id);
        found.flags &= ~(ESCORT_VERDICT_DEAD & ~told.flags);
        if (there && std::memcmp(&found, &told, sizeof told) == 0) continue;
        changed.push_back("the verdict of session " + std::to_string(id & UINT32_MAX));
        bpf_map_update_elem(verdicts_, &id, &told, BPF_ANY);
    }
}

void KernelState::restore_rules(std::vector<std::string>& changed) {
    if (!inner_.valid()) return;
    const std::uint32_t zero = 0;
    std::uint32_t in_place = 0;
    bool same = bpf_map_lookup_elem(rules_, &zero, &in_place) == 0 && map_id(inner_.get()) == in_place;
    std::size_t keys = 0;
    escort_rule_key previous{}, key{};
    while (bpf_map_get_next_key(inner_.get(), keys == 0 ? nullptr : &previous, &key) == 0 &&
           ++keys <= in_force_.size())
        previous = key;
    same = same && keys == in_force_.size() &&
           std::all_of(in_force_.begin(), in_force_.end(), [this](const KernelRule& rule) {
               KernelRule found{rule.key, {}};
               return bpf_map_lookup_elem(inner_.get(), &rule.key, &found.value) == 0 && found == rule;
           });
    if (same) return;
    changed.emplace_back("the rules");
    inner_.reset(); // a new map, whatever was done to that one
    const auto rules = in_force_;
    (void)set_rules(rules); // fails: the same at the next look
}

void KernelState::restore_config(std::vector<std::string>& changed) {
    const std::uint32_t zero = 0;
    escort_config found{};
    if (bpf_map_lookup_elem(config_, &zero, &found) != 0) return;
    if (!learnt_) learnt_ = found;
    if (same_place(found, *learnt_)) return;
    changed.emplace_back("who is governed");
    const auto next = found.next;
    found = *learnt_;
    found.next = std::max<__u64>(found.next, next) + 64; // of sessions that open meanwhile
    bpf_map_update_elem(config_, &zero, &found, BPF_ANY);
}

} // namespace escort
