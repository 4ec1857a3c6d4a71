// Which maps are the agent's own, for the kernel programs (bpf/attack.h): a session that gets a descriptor of
// one is ended. Not in the object's own data, which each load makes anew and nobody can take anything from.
#pragma once

#include "base/result.h"

#include <cstdint>

struct bpf_object;

namespace escort {

// `names`: the map own_maps. Its answer is the map's id.
[[nodiscard]] Result<std::uint32_t> name_own_map(int names, int map);
void forget_own_map(int names, std::uint32_t id);

// Those of this object, in place of an earlier daemon's.
[[nodiscard]] Status name_own_maps(int names, const bpf_object& object);

} // namespace escort
