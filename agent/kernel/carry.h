// Carries live sessions over from another version's maps in an upgrade, while tasks fork and exit.
//
// Their records only grow at the end (bpf/abi.h): what both versions know is copied, the rest is zero. Never
// touches labels (shared) and rules (built anew).
#pragma once

#include "base/fd.h"
#include "base/result.h"

#include <cstdint>
#include <map>
#include <string>

namespace escort {

// Descriptors of this version's maps, and of the program escort_adjust. Borrowed.
struct CarryTarget {
    int sessions, verdicts, also, orphans, config;
    int adjust;
};

class Carry {
  public:
    // `folder`: the other version's (PINS/v2). Error: it holds no maps of sessions.
    [[nodiscard]] static Result<Carry> open(const std::string& folder, const CarryTarget& target);

    // Copies what is not there yet; numbers of new sessions begin beyond the other version's.
    [[nodiscard]] Status copy();
    // When the other version's programs act no more: copies what came since, and puts the counts of live
    // tasks right by what they became after copy() had read them.
    [[nodiscard]] Status settle();

  private:
    Status copy_sessions();
    Status copy_numbers() const;

    CarryTarget target_{};
    Fd sessions_, verdicts_, also_, orphans_, config_;
    std::map<std::uint64_t, std::int64_t> live_; // as copied, by session
};

} // namespace escort
