#include "sandbox/filter.h"

#include <cerrno>
#include <memory>
#include <seccomp.h>
#include <string>

namespace escort {

namespace {

constexpr const char* kWhere = "seccomp filter";

struct Release {
    void operator()(void* context) const { seccomp_release(context); }
};

Status allow(scmp_filter_ctx context, const AllowedCall& call) {
    const int number = seccomp_syscall_resolve_name(call.name);
    if (number == __NR_SCMP_ERROR) return {}; // newer than libseccomp's table: refused like any other
    std::vector<scmp_arg_cmp> checks;
    for (const auto& check : call.checks)
        checks.push_back({check.index, SCMP_CMP_MASKED_EQ, check.mask, check.value});
    const int error = seccomp_rule_add_array(context, SCMP_ACT_ALLOW, number,
                                             static_cast<unsigned>(checks.size()), checks.data());
    // EDOM: there is no such call on this architecture (open, stat, ... on arm64).
    if (error < 0 && error != -EDOM) return fail_errno(kWhere, call.name, -error);
    return {};
}

} // namespace

Status load_filter(std::span<const AllowedCall> calls) {
    const std::unique_ptr<void, Release> context(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
    if (!context) return fail(kWhere, "out of memory");
    int error = seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_LOG, 1);
    if (error == 0) error = seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    // A sorted tree: a hundred comparisons for a call become seven.
    if (error == 0) error = seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
    // Its flags lie in memory, out of sight: glibc takes ENOSYS as 'an old kernel' and comes with clone(2).
    if (error == 0) error = seccomp_rule_add(context.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (error != 0) return fail_errno(kWhere, "prepare", -error);
    for (const auto& call : calls)
        if (auto added = allow(context.get(), call); !added) return added;
    error = seccomp_load(context.get());
    if (error != 0) return fail_errno(kWhere, "load", -error);
    return {};
}

} // namespace escort
