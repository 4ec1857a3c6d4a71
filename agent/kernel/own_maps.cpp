#include "kernel/own_maps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cerrno>

namespace escort {

Result<std::uint32_t> name_own_map(int names, int map) {
    bpf_map_info info{};
    std::uint32_t size = sizeof info;
    const std::uint32_t one = 1;
    if (bpf_obj_get_info_by_fd(map, &info, &size) != 0 ||
        bpf_map_update_elem(names, &info.id, &one, BPF_ANY) != 0)
        return fail_errno("own_maps", "write", errno);
    return info.id;
}

void forget_own_map(int names, std::uint32_t id) {
    (void)bpf_map_delete_elem(names, &id);
}

Status name_own_maps(int names, const bpf_object& object) {
    std::uint32_t id = 0;
    while (bpf_map_get_next_key(names, nullptr, &id) == 0)
        if (bpf_map_delete_elem(names, &id) != 0) return fail_errno("own_maps", "empty", errno);
    bpf_map* each = nullptr;
    bpf_object__for_each_map(each, &object) {
        if (bpf_map__is_internal(each)) continue;
        if (auto named = name_own_map(names, bpf_map__fd(each)); !named) return tl::unexpected(named.error());
    }
    return {};
}

} // namespace escort
