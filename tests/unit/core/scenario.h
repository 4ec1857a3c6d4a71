// Scenarios of tests/golden/verdict: a policy, approvals, a session, written in YAML, brought before the real
// policy reader, ledger and presence book, and judged.
#pragma once

#include "core/verdict.h"

#include <memory>
#include <string>
#include <yaml-cpp/yaml.h>

namespace escort::scenario {

constexpr std::int64_t kNow = 1'767'225'600;               // trusted time of judging
constexpr std::uint64_t kBootNow = 500'000 * kNsPerSecond; // CLOCK_BOOTTIME of judging
inline const Moment kMoment{kNow, kBootNow};

// A file of tests/golden/verdict.
[[nodiscard]] YAML::Node load(const std::string& name);

// `base` with `change` merged in: maps key by key, `approvals` one by one, other lists whole; ~ removes.
[[nodiscard]] YAML::Node merged(const YAML::Node& base, const YAML::Node& change);

// All that a verdict is made of, and what holds it.
struct Scene {
    Policy policy;
    SessionFacts facts;
    Evidence evidence;
    std::unique_ptr<Ledger> ledger;
    PresenceBook presence;
    Denials denials;

    [[nodiscard]] Verdict judge(const Moment& now = kMoment) const;
};

[[nodiscard]] std::unique_ptr<Scene> read(const YAML::Node& scenario);

} // namespace escort::scenario
