// The table of system calls that the daemon, its canary and its NSS helper may make: one reason each. What
// isn't here is refused. Data only; filter.h makes the seccomp filter of it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

// A build with sanitizers, whose run time makes calls of its own.
#if defined(__SANITIZE_ADDRESS__)
#define ESCORT_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ESCORT_SANITIZED 1
#endif
#endif

namespace escort {

// One argument of a call: allowed where (argument & mask) == value. Pointers can be compared, not followed.
struct ArgumentCheck {
    unsigned index; // 0..5
    std::uint64_t mask;
    std::uint64_t value;
};

// A call may stand in several rows: it is allowed where all checks of any one row hold.
struct AllowedCall {
    const char* name; // as libseccomp knows it on every architecture
    const char* reason;
    std::vector<ArgumentCheck> checks{};
};

[[nodiscard]] std::span<const AllowedCall> allowed_calls();

} // namespace escort
