// The golden tables of tests/golden/verdict: each reason, each two reasons, each order of them.
#include "core/scenario.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <map>

using namespace escort;
using scenario::merged;

namespace {

// Reasons that a session is denied for by what is judged here; the rest come from elsewhere.
constexpr int kFirst = static_cast<int>(Reason::denied_locally);
constexpr int kLast = static_cast<int>(Reason::idle);

bool says(const YAML::Node& change, const char* part, const char* key) {
    return change[part] && change[part][key];
}

// The single-cause changes of reasons.yaml of new sessions under the policy of base.yaml, by reason.
std::map<Reason, std::vector<YAML::Node>> single_changes() {
    std::map<Reason, std::vector<YAML::Node>> out;
    for (const auto& row : scenario::load("reasons.yaml")) {
        const auto change = row["change"];
        if (row["verdict"].as<std::string>() != "denied" || row["others"] ||
            says(change, "list", "break_glass") || says(change, "session", "unit") ||
            says(change, "session", "approval"))
            continue;
        for (int reason = kFirst; reason <= kLast; ++reason)
            if (row["reason"].as<std::string>() == to_string(static_cast<Reason>(reason)))
                out[static_cast<Reason>(reason)].push_back(change);
    }
    return out;
}

// What two changes make together, where some two of them show both reasons; else "never".
std::string together(const YAML::Node& base, const std::vector<YAML::Node>& left, Reason a,
                     const std::vector<YAML::Node>& right, Reason b) {
    for (const auto& first : left)
        for (const auto& second : right)
            for (const bool turned : {false, true}) {
                const auto scene = scenario::read(turned ? merged(merged(base, second), first)
                                                         : merged(merged(base, first), second));
                const auto reasons = scene->judge().reasons;
                const auto has = [&](Reason r) {
                    return std::find(reasons.begin(), reasons.end(), r) != reasons.end();
                };
                if (has(a) && has(b) && reasons.size() == 2) return join(reasons);
            }
    return "never";
}

} // namespace

TEST_CASE("verdict golden: what each change of the base makes of it") {
    const auto base = scenario::load("base.yaml");
    for (const auto& row : scenario::load("reasons.yaml")) {
        CAPTURE(row["case"].as<std::string>());
        const auto scene = scenario::read(merged(base, row["change"]));
        const auto verdict = scene->judge();
        std::string expected = row["reason"].as<std::string>();
        for (const auto& other : row["others"])
            expected += "," + other.as<std::string>();
        CHECK(join(verdict.reasons) == expected);
        CHECK((verdict.ruling == Ruling::approved) == (row["verdict"].as<std::string>() == "approved"));
        CHECK(std::string(verdict.held_for ? to_string(*verdict.held_for) : "") ==
              (row["held_for"] ? row["held_for"].as<std::string>() : ""));
        CHECK(verdict.freezes() == (row["held_for"] || row["freezes"]));
        // Every reason has its line: a failed rule, with where it comes from.
        const auto failed = std::count_if(verdict.rules.begin(), verdict.rules.end(),
                                          [](const auto& rule) { return rule.check == Check::fail; });
        CHECK((failed > 0) == (verdict.ruling == Ruling::denied));
    }
}

TEST_CASE("verdict golden: every reason has a row") {
    const auto changes = single_changes();
    for (int reason = kFirst; reason <= kLast; ++reason) {
        CAPTURE(to_string(static_cast<Reason>(reason)));
        CHECK(changes.contains(static_cast<Reason>(reason)));
    }
}

// ESCORT_GOLDEN_OUT=FILE writes what is, to be read and taken over by a person.
TEST_CASE("verdict golden: two reasons at once, the first in the contract's order leads") {
    const auto base = scenario::load("base.yaml");
    const auto changes = single_changes();
    const auto pairs = scenario::load("pairs.yaml");
    std::ofstream out;
    if (const char* file = std::getenv("ESCORT_GOLDEN_OUT")) out.open(file); // NOLINT(concurrency-mt-unsafe)
    std::size_t count = 0;
    for (auto left = changes.begin(); left != changes.end(); ++left)
        for (auto right = std::next(left); right != changes.end(); ++right) {
            const std::string key = std::string(to_string(left->first)) + "+" + to_string(right->first);
            CAPTURE(key);
            const auto is = together(base, left->second, left->first, right->second, right->first);
            if (out.is_open()) out << key << ": \"" << is << "\"\n";
            const auto expected = pairs[key];
            CHECK((expected ? expected.as<std::string>() : "not in pairs.yaml") == is);
            ++count;
        }
    CHECK(pairs.size() == count);
}

TEST_CASE("verdict golden: of two approvals that fail the later reason leads, in either order") {
    const auto base = scenario::load("base.yaml");
    const auto changes = single_changes();
    // Those that break the approval alone.
    std::map<Reason, YAML::Node> own;
    for (const auto& [reason, list] : changes)
        for (const auto& change : list)
            if (change.size() == 1 && change["approvals"] && change["approvals"][0].IsMap() &&
                reason != Reason::no_approval)
                own.emplace(reason, change["approvals"][0]);
    CHECK(own.size() >= 11);
    for (const auto& [left, first] : own)
        for (const auto& [right, second] : own) {
            if (left == right) continue;
            const std::string one = to_string(left); // clang 14 captures no structured binding
            CAPTURE(one);
            const std::string other = to_string(right);
            CAPTURE(other);
            YAML::Node both = YAML::Clone(base);
            YAML::Node approvals(YAML::NodeType::Sequence);
            approvals.push_back(merged(base["approvals"][0], first));
            approvals.push_back(merged(base["approvals"][0], second));
            approvals[1]["jti"] = "apr-2";
            both["approvals"] = approvals;
            CHECK(join(scenario::read(both)->judge().reasons) == to_string(std::max(left, right)));
        }
}
