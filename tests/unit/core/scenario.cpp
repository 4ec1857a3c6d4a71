#include "core/scenario.h"

#include "policy/load.h"

#include <doctest/doctest.h>

namespace escort::scenario {

namespace {

constexpr const char* kIssuer = "https://broker.example.gov";

template <typename T>
T get(const YAML::Node& node, const char* key, T otherwise) {
    return node[key] ? node[key].as<T>() : otherwise;
}

std::optional<std::string> text(const YAML::Node& node, const char* key) {
    if (!node[key]) return std::nullopt;
    return node[key].as<std::string>();
}

std::vector<std::string> texts(const YAML::Node& node, const char* key) {
    return get<std::vector<std::string>>(node, key, {});
}

Engineer read_engineer(const YAML::Node& node) {
    Engineer out;
    out.id = node["id"].as<std::string>();
    out.citizenship = texts(node, "citizenship");
    out.screening = texts(node, "screening");
    if (const auto location = node["location"])
        out.location =
            Location{location["country"].as<std::string>(), location["asserted_by"].as<std::string>(),
                     kNow + location["at"].as<std::int64_t>()};
    return out;
}

Approval read_approval(const YAML::Node& node) {
    Approval out;
    out.jti = node["jti"].as<std::string>();
    out.account = get<std::string>(node, "account", "");
    out.unit = get<std::string>(node, "unit", "");
    out.nbf = kNow + node["nbf"].as<std::int64_t>();
    out.exp = kNow + node["exp"].as<std::int64_t>();
    out.engineer = read_engineer(node["engineer"]);
    if (const auto escort = node["escort"]) out.escort = Escort{escort["id"].as<std::string>(), {}, {}};
    if (const auto ticket = text(node, "ticket")) out.ticket = Ticket{"snow", *ticket};
    out.approvers = texts(node, "approvers");
    out.source = texts(node, "source");
    if (const auto ssh = node["ssh"]) out.ssh = {texts(ssh, "fingerprints"), texts(ssh, "key_ids")};
    if (node["max_sessions"]) out.max_sessions = node["max_sessions"].as<std::uint32_t>();
    if (node["max_duration"]) out.max_duration = node["max_duration"].as<std::int64_t>();
    return out;
}

ApprovalList read_list(const YAML::Node& scenario) {
    const auto node = scenario["list"];
    ApprovalList out;
    out.issuer = kIssuer;
    out.audience = "host:h";
    out.iat = kNow + node["iat"].as<std::int64_t>();
    out.exp = kNow + node["exp"].as<std::int64_t>();
    out.seq = 1;
    out.revoked = texts(node, "revoked");
    out.break_glass = get(node, "break_glass", false);
    out.sha256 = "sha";
    for (const auto& approval : scenario["approvals"])
        out.approvals.push_back(read_approval(approval));
    return out;
}

Policy read_policy(const YAML::Node& node) {
    YAML::Emitter emitter;
    emitter << node;
    Diagnostics diagnostics;
    const auto set = parse_policies({{"10-vendor.yaml", "10-vendor.yaml", emitter.c_str()}}, diagnostics);
    for (const auto& diagnostic : diagnostics)
        if (diagnostic.severity == Severity::error) FAIL(diagnostic.text());
    REQUIRE(set);
    return set->policies.front();
}

SessionFacts read_session(const YAML::Node& node) {
    SessionFacts out;
    out.account = get<std::string>(node, "account", "");
    out.unit = get<std::string>(node, "unit", "");
    out.entry = *entry_from(node["entry"].as<std::string>());
    out.opened_boot_ns = kBootNow - node["opened"].as<std::uint64_t>() * kNsPerSecond;
    if (const auto approval = text(node, "approval")) out.approval = ApprovalId{kIssuer, *approval};
    out.gated = node["gated"].as<bool>();
    out.key_later = get(node, "key_later", false);
    out.source = text(node, "source");
    out.key = text(node, "key");
    out.key_id = text(node, "key_id");
    out.idle_ns = node["idle"].as<std::uint64_t>() * kNsPerSecond;
    return out;
}

// The clocks `seconds` before the judging.
Moment before(std::int64_t seconds) {
    return {kNow - seconds, kBootNow - static_cast<std::uint64_t>(seconds) * kNsPerSecond};
}

} // namespace

YAML::Node load(const std::string& name) {
    return YAML::LoadFile(ESCORT_SOURCE_DIR "/tests/golden/verdict/" + name);
}

YAML::Node merged(const YAML::Node& base, const YAML::Node& change) {
    if (!change.IsMap() || !base.IsMap()) return YAML::Clone(change);
    YAML::Node out = YAML::Clone(base);
    for (const auto& entry : change) {
        const auto key = entry.first.as<std::string>();
        if (entry.second.IsNull()) {
            out.remove(key);
        } else if (key == "approvals" && out["list"]) { // of the scenario, not of `deny`
            YAML::Node list(YAML::NodeType::Sequence);
            for (std::size_t i = 0; i < entry.second.size(); ++i) {
                if (entry.second[i].IsNull()) continue;
                if (i < out[key].size())
                    list.push_back(merged(out[key][i], entry.second[i]));
                else if (entry.second[i]["jti"]) // a whole one; a change of what is gone changes nothing
                    list.push_back(YAML::Clone(entry.second[i]));
            }
            out[key] = list;
        } else if (out[key]) {
            out[key] = merged(out[key], entry.second);
        } else {
            out[key] = YAML::Clone(entry.second);
        }
    }
    return out;
}

Verdict Scene::judge(const Moment& now) const {
    return escort::judge(policy, facts, evidence, false, now);
}

std::unique_ptr<Scene> read(const YAML::Node& scenario) {
    auto scene = std::make_unique<Scene>();
    scene->policy = read_policy(scenario["policy"]);
    scene->facts = read_session(scenario["session"]);
    scene->ledger = std::make_unique<Ledger>(LedgerSettings{"h", {}, 0});
    ApprovalList list = read_list(scenario);
    const Moment then = before(kNow - list.iat);
    if (const auto grave = text(scenario, "tombstone")) { // it was listed once
        ApprovalList last = list;
        last.approvals.push_back({});
        last.approvals.back().jti = *grave;
        last.approvals.back().account = scene->facts.account;
        last.approvals.back().exp = kNow + 3600;
        last.revoked.clear();
        last.seq = 0;
        REQUIRE(scene->ledger->accept(std::move(last), then));
    }
    REQUIRE(scene->ledger->accept(std::move(list), then));
    for (const auto& lease : scenario["presence"]) {
        const auto iat = lease.second["iat"].as<std::int64_t>();
        REQUIRE(scene->presence.accept({{kIssuer, lease.first.as<std::string>()},
                                        lease.second["escort"].as<std::string>(),
                                        kNow + iat,
                                        kNow + lease.second["exp"].as<std::int64_t>(),
                                        "sha"},
                                       before(-iat)));
    }
    const auto set = [&](const char* key) {
        const auto words = texts(scenario["deny"], key);
        return std::set<std::string>(words.begin(), words.end());
    };
    scene->denials = {set("approvals"), set("engineers"), set("accounts")};
    for (const auto& use : scenario["sessions"])
        scene->evidence.sessions[{kIssuer, use.first.as<std::string>()}] = use.second.as<std::uint32_t>();
    const bool unit = !scene->facts.unit.empty();
    const std::string& whose = unit ? scene->facts.unit : scene->facts.account;
    scene->evidence.candidates =
        unit ? scene->ledger->unit_candidates(whose, kMoment) : scene->ledger->candidates(whose, kMoment);
    scene->evidence.tombstones = scene->ledger->tombstones(whose, kMoment);
    scene->evidence.presence = &scene->presence;
    scene->evidence.denials = &scene->denials;
    return scene;
}

} // namespace escort::scenario
