#include "kernel/object.h"

#include "escort.skel.h"

#include <bpf/btf.h>
#include <cerrno>
#include <cstdlib>
#include <utility>

namespace escort {

namespace {

constexpr int kDepth = 16; // pointers and functions within each other; ours have three

const btf_type* plain_type(const btf& types, std::uint32_t& id) {
    const btf_type* type = btf__type_by_id(&types, id);
    while (type != nullptr && (btf_is_mod(type) || btf_is_typedef(type))) {
        id = type->type;
        type = btf__type_by_id(&types, id);
    }
    return type;
}

// By kinds, through pointers and functions, as libbpf compares (bpf_core_types_are_compat); the names of
// structs say nothing.
bool alike(const btf& ours, std::uint32_t our_id, const btf& theirs, std::uint32_t their_id, int depth) {
    const btf_type* const our = plain_type(ours, our_id);
    const btf_type* const their = plain_type(theirs, their_id);
    if (depth == 0 || our == nullptr || their == nullptr) return false;
    if (btf_kind(our) != btf_kind(their)) return btf_is_any_enum(our) && btf_is_any_enum(their);
    if (btf_is_ptr(our)) return alike(ours, our->type, theirs, their->type, depth - 1);
    if (!btf_is_func_proto(our)) return true;
    if (btf_vlen(our) != btf_vlen(their)) return false;
    for (std::uint32_t i = 0; i < btf_vlen(our); ++i)
        if (!alike(ours, btf_params(our)[i].type, theirs, btf_params(their)[i].type, depth - 1)) return false;
    return alike(ours, our->type, theirs, their->type, depth - 1);
}

// The object's bytes with other names in its symbols and in its BTF: libbpf looks for these in vain.
std::string bytes_without(const std::set<std::string>& kfuncs, const void* data, std::size_t size) {
    std::string bytes(static_cast<const char*>(data), size);
    for (const auto& name : kfuncs) {
        const std::string whole = '\0' + name + '\0';
        for (auto at = bytes.find(whole); at != std::string::npos; at = bytes.find(whole, at + 1))
            bytes[at + 1] = '_';
    }
    return bytes;
}

Kfuncs look_up() {
    const std::unique_ptr<btf, void (*)(btf*)> kernel(btf__load_vmlinux_btf(), btf__free);
    const Object object(escort_bpf__open());
    if (!kernel || !object) return {};
    return compare_kfuncs(*bpf_object__btf(object->obj), *kernel);
}

} // namespace

Kfuncs compare_kfuncs(const btf& object, const btf& kernel) {
    Kfuncs found;
    for (std::uint32_t id = 1; id < btf__type_cnt(&object); ++id) {
        const btf_type* const type = btf__type_by_id(&object, id);
        // vlen: the linkage. Opening an object makes its externs global, as its programs are; these are named
        // as no function of a kernel.
        if (!btf_is_func(type) || btf_vlen(type) == BTF_FUNC_STATIC) continue;
        const char* const name = btf__name_by_offset(&object, type->name_off);
        const int there = btf__find_by_name_kind(&kernel, name, BTF_KIND_FUNC);
        if (there < 0) continue;
        const bool same = alike(object, type->type, kernel,
                                btf__type_by_id(&kernel, static_cast<std::uint32_t>(there))->type, kDepth);
        (same ? found.usable : found.changed).insert(name);
    }
    return found;
}

const Kfuncs& kfuncs() {
    static const Kfuncs found = look_up();
    return found;
}

void DestroyObject::operator()(escort_bpf* object) const {
    escort_bpf__destroy(object);
}

Object open_object(const std::set<std::string>& hidden) {
    if (hidden.empty()) return Object(escort_bpf__open());
    Object object(static_cast<escort_bpf*>(std::calloc(1, sizeof(escort_bpf)))); // escort_bpf__destroy frees
    if (!object) return nullptr;
    int error = escort_bpf__create_skeleton(object.get());
    if (error == 0) {
        bpf_object_skeleton& skeleton = *object->skeleton;
        const std::string bytes = bytes_without(hidden, skeleton.data, skeleton.data_sz);
        const auto* const whole = std::exchange(skeleton.data, bytes.data());
        error = bpf_object__open_skeleton(&skeleton, nullptr); // libbpf keeps a copy
        skeleton.data = whole;
    }
    if (error == 0) return object;
    object.reset();
    errno = -error;
    return nullptr;
}

} // namespace escort
