// The embedded object of kernel programs, opened for the kernel that runs.
//
// A kfunc's prototype may change with any kernel: bpf_task_work_schedule_signal_impl's last parameter is a
// `void *` in 6.18 and a `struct bpf_prog_aux *` in 7.2. libbpf then refuses the whole object
// (bpf_object__resolve_ksym_func_btf_id), also where the programs can do without that kfunc. So one that
// isn't as ours is hidden from it, and counts as missing: the next best means of that kernel is taken.
#pragma once

#include <memory>
#include <set>
#include <string>

struct btf;
struct escort_bpf;

namespace escort {

struct Kfuncs {
    std::set<std::string> usable;  // the programs ask for them, and the kernel has them as they are called
    std::set<std::string> changed; // the kernel has them, with another prototype
};

// Those that `object` declares, in `kernel`. Pure.
[[nodiscard]] Kfuncs compare_kfuncs(const btf& object, const btf& kernel);

// Of our object and the kernel that runs; looked up once. Without the kernel's BTF: none.
[[nodiscard]] const Kfuncs& kfuncs();

struct DestroyObject {
    void operator()(escort_bpf* object) const;
};
using Object = std::unique_ptr<escort_bpf, DestroyObject>;

// Opened, not loaded; null and errno where libbpf can't. What is hidden reads as 0 in the programs, as what
// is missing.
[[nodiscard]] Object open_object(const std::set<std::string>& hidden = kfuncs().changed);

} // namespace escort
