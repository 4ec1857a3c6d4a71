#include "kernel/carry.h"

#include "abi.h"

#include <algorithm>
#include <bpf/bpf.h>
#include <cerrno>
#include <cstring>
#include <vector>

namespace escort {

namespace {

constexpr std::uint64_t kNumbersSkipped = 4096; // what the other version may open until it stops

struct Sizes {
    std::size_t key = 0, value = 0;
};

Result<Sizes> sizes_of(int map, const char* name) {
    bpf_map_info info{};
    __u32 length = sizeof info;
    if (bpf_obj_get_info_by_fd(map, &info, &length) != 0) return fail_errno(name, "ask about", errno);
    return Sizes{info.key_size, info.value_size};
}

// A map's entries as the other map would have them: the beginning of each value that both know.
class Copier {
  public:
    static Result<Copier> between(int from, int to, const char* name) {
        const auto source = sizes_of(from, name), target = sizes_of(to, name);
        if (!source) return tl::unexpected(source.error());
        if (!target) return tl::unexpected(target.error());
        if (source->key != target->key) return fail(name, "its keys are of another size");
        return Copier{from, to, name, source->key, std::max(source->value, target->value)};
    }

    // Calls `copied` with the key and value of each entry that was not in the target. Entries that come or go
    // meanwhile are seen or not.
    template <typename Copied>
    Status all(const Copied& copied) const {
        std::vector<char> key(key_), next(key_), value(room_);
        std::vector<std::vector<char>> keys;
        for (const void* last = nullptr; bpf_map_get_next_key(from_, last, next.data()) == 0;) {
            keys.push_back(next);
            key = next;
            last = key.data();
        }
        for (const auto& one : keys) {
            std::fill(value.begin(), value.end(), '\0');
            if (bpf_map_lookup_elem(from_, one.data(), value.data()) != 0) continue;
            if (bpf_map_update_elem(to_, one.data(), value.data(), BPF_NOEXIST) == 0)
                copied(one.data(), value.data());
            else if (errno != EEXIST)
                return fail_errno(name_, "carry over", errno);
        }
        return {};
    }

  private:
    Copier(int from, int to, const char* name, std::size_t key, std::size_t room)
        : from_(from), to_(to), name_(name), key_(key), room_(room) {}
    int from_, to_;
    const char* name_;
    std::size_t key_, room_;
};

Status copy_map(int from, int to, const char* name) {
    const auto copier = Copier::between(from, to, name);
    return copier ? copier->all([](const char*, const char*) {}) : Status(tl::unexpected(copier.error()));
}

template <typename Value>
Result<Value> read_value(int map, const void* key, const char* name) {
    const auto sizes = sizes_of(map, name);
    if (!sizes) return tl::unexpected(sizes.error());
    std::vector<char> bytes(std::max(sizes->value, sizeof(Value)));
    if (bpf_map_lookup_elem(map, key, bytes.data()) != 0) return fail_errno(name, "read", errno);
    Value value{};
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}

} // namespace

Result<Carry> Carry::open(const std::string& folder, const CarryTarget& target) {
    Carry carry;
    carry.target_ = target;
    const auto get = [&](const char* map) { return Fd(bpf_obj_get((folder + "/maps/" + map).c_str())); };
    carry.sessions_ = get("sessions");
    carry.verdicts_ = get("verdicts");
    carry.also_ = get("also");
    carry.orphans_ = get("orphans");
    carry.config_ = get("config");
    for (const auto* fd : {&carry.sessions_, &carry.verdicts_, &carry.also_, &carry.orphans_, &carry.config_})
        if (!fd->valid()) return fail(folder, "holds no maps of sessions");
    return carry;
}

Status Carry::copy() {
    if (auto numbers = copy_numbers(); !numbers) return numbers;
    return copy_sessions();
}

// Verdicts first: a session is told of by its entry in `sessions`.
Status Carry::copy_sessions() {
    if (auto done = copy_map(verdicts_.get(), target_.verdicts, "verdicts"); !done) return done;
    if (auto done = copy_map(also_.get(), target_.also, "also"); !done) return done;
    if (auto done = copy_map(orphans_.get(), target_.orphans, "orphans"); !done) return done;
    const auto copier = Copier::between(sessions_.get(), target_.sessions, "sessions");
    if (!copier) return tl::unexpected(copier.error());
    return copier->all([this](const char* key, const char* value) {
        std::uint64_t id = 0;
        escort_session session{};
        std::memcpy(&id, key, sizeof id);
        std::memcpy(&session, value, offsetof(escort_session, uid)); // the oldest part holds the count
        live_[id] = session.live;
    });
}

Status Carry::copy_numbers() const {
    const std::uint32_t zero = 0;
    const auto theirs = read_value<escort_config>(config_.get(), &zero, "config");
    auto ours = read_value<escort_config>(target_.config, &zero, "config");
    if (!theirs) return tl::unexpected(theirs.error());
    if (!ours) return tl::unexpected(ours.error());
    ours->next = std::max(ours->next, theirs->next + kNumbersSkipped);
    ours->orphans = std::max(ours->orphans, theirs->orphans); // while any may be there, they are looked for
    if (bpf_map_update_elem(target_.config, &zero, &*ours, BPF_ANY) != 0)
        return fail_errno("config", "write", errno);
    return {};
}

Status Carry::settle() {
    const auto before = live_;
    if (auto done = copy_sessions(); !done) return done;
    for (const auto& [id, live] : before) {
        const auto last = read_value<escort_session>(sessions_.get(), &id, "sessions");
        if (!last || last->live == live) continue;
        escort_adjust_request request{id, last->live - live};
        LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &request, .ctx_size_in = sizeof request);
        if (bpf_prog_test_run_opts(target_.adjust, &run) != 0)
            return fail_errno("escort_adjust", "run", errno);
    }
    return {};
}

} // namespace escort
