// Random policies, approvals, sessions and times, from a seed or from draws of the caller's. Values come from
// small sets, so that matches and mismatches are both common.
#pragma once

#include "core/verdict.h"

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace escort::random_world {

constexpr const char* kAccount = "azsupport";
constexpr const char* kIssuer = "https://broker.example.gov";

struct World {
    Policy policy;
    SessionFacts facts;
    PresenceBook presence;
    Denials denials;
    std::map<ApprovalId, std::uint32_t> sessions;
    Moment now;
    std::unique_ptr<Ledger> ledger;

    [[nodiscard]] Evidence evidence(const Moment& at) const;
    [[nodiscard]] Verdict judge(const SessionFacts& about, const Moment& at) const;
    [[nodiscard]] Moment later(std::uint64_t boot_ns) const;
};

class Maker {
  public:
    using Draw = std::function<std::uint64_t()>;
    explicit Maker(std::uint64_t seed) : draw_(std::mt19937_64(seed)) {}
    explicit Maker(Draw draw) : draw_(std::move(draw)) {}
    [[nodiscard]] std::unique_ptr<World> world();
    // One in `n`.
    bool one_in(unsigned n) { return below(n) == 0; }
    unsigned below(unsigned n) { return static_cast<unsigned>(draw_() % n); }

  private:
    std::vector<std::string> some(std::vector<std::string> of);
    Policy policy();
    Approval approval(int number, const Moment& now);
    Draw draw_;
};

} // namespace escort::random_world
