// Proof that attached programs fire: how often the kernel says that each has run, between two moments.
// Attaches nothing, calls nothing by itself, and takes nothing for granted: what could not be counted has not
// been seen.
#pragma once

#include "base/fd.h"
#include "base/result.h"

#include <cstdint>
#include <string>
#include <vector>

namespace escort {

// A program that is attached, by the descriptor of its link (not owned).
struct AttachedLink {
    std::string name; // "escort_newtask"
    int fd = -1;
};

// How often a program has run. Without a count `why` says what kept it from being taken.
struct Firing {
    std::string name;
    std::uint64_t runs = 0;
    std::string why{};

    [[nodiscard]] bool seen() const { return runs > 0; }
};

// Counts from its making on. The kernel counts only while statistics are asked for (bpf(2),
// BPF_ENABLE_STATS, which costs every BPF program of the machine some nanoseconds a run): so for as long as
// this lives, and no longer.
class FiringCount {
  public:
    explicit FiringCount(const std::vector<AttachedLink>& links);

    // In the order of the links.
    [[nodiscard]] std::vector<Firing> take() const;

  private:
    struct Counted {
        std::string name;
        Fd program;
        std::uint64_t before = 0;
        std::string why{}; // no program
    };
    Fd statistics_;
    std::string no_statistics_; // why they couldn't be switched on; they may be on all the same (sysctl)
    std::vector<Counted> programs_;
};

// Two readings as a person reads them. `no_statistics`: why the kernel was not asked to count; empty: it was.
[[nodiscard]] Firing judge_firing(const std::string& name, std::uint64_t before, std::uint64_t after,
                                  const std::string& no_statistics);

} // namespace escort
