#include "courier/backoff.h"

#include <algorithm>

namespace escort::courier {

std::uint64_t Backoff::next_ms(double random) {
    constexpr unsigned kDoublings = 4; // to beyond kMostMs
    const std::uint64_t most = std::min(kFirstMs << std::min(failures_, kDoublings), kMostMs);
    failures_++;
    return static_cast<std::uint64_t>(random * static_cast<double>(most));
}

std::uint64_t jittered_ms(std::uint64_t ms, double random) {
    return static_cast<std::uint64_t>(static_cast<double>(ms) * (0.8 + 0.4 * random));
}

} // namespace escort::courier
