#include "service/runtime_max.h"

#include <algorithm>

namespace escort {

namespace {
constexpr std::int64_t kGrace = 5;           // seconds
constexpr std::int64_t kLongest = INT32_MAX; // 68 years
} // namespace

std::uint32_t runtime_max_s(const Verdict& verdict, const Candidate& approval, const Policy& policy,
                            std::uint64_t opened_boot_ns, const Moment& now) {
    if (verdict.ruling != Ruling::approved || verdict.observe || verdict.log_only) return 0;
    const std::uint64_t age_ns = now.boot_ns - std::min(now.boot_ns, opened_boot_ns);
    const auto age = static_cast<std::int64_t>(age_ns / kNsPerSecond);
    std::int64_t left = approval.approval->exp - now.trusted;
    if (approval.approval->max_duration) left = std::min(left, *approval.approval->max_duration - age);
    if (policy.require.max_duration) left = std::min(left, policy.require.max_duration->value - age);
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(left, 0, kLongest - kGrace) + kGrace);
}

} // namespace escort
