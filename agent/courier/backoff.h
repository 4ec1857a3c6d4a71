// How long to wait before the next try: exponential with full jitter, so that a broker that comes back is not
// met by all its hosts at once. Pure: the random number is given.
#pragma once

#include <cstdint>

namespace escort::courier {

class Backoff {
  public:
    static constexpr std::uint64_t kFirstMs =
        5'000; // the longest wait after the first failure: how thin a crowd is spread
    static constexpr std::uint64_t kMostMs = 60'000;

    // `random`: uniform in [0, 1). A wait in milliseconds: uniform between 0 and kFirstMs * 2^failures, at
    // most kMostMs; doubles with each call until succeeded().
    [[nodiscard]] std::uint64_t next_ms(double random);
    void succeeded() { failures_ = 0; }

  private:
    unsigned failures_ = 0;
};

// `ms` give or take a fifth: what many hosts do at intervals must not fall together.
[[nodiscard]] std::uint64_t jittered_ms(std::uint64_t ms, double random);

} // namespace escort::courier
