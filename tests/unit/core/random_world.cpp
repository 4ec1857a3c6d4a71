#include "core/random_world.h"

namespace escort::random_world {

namespace {

constexpr std::int64_t kEpoch = 1'767'225'600;
constexpr std::uint64_t kBoot = 500'000 * kNsPerSecond;
using Words = std::vector<std::string>;

template <typename T>
Placed<T> placed(T value) {
    return {std::move(value), {"10-vendor.yaml", 1, 1}};
}

} // namespace

Evidence World::evidence(const Moment& at) const {
    Evidence out;
    out.candidates = ledger->candidates(kAccount, at);
    out.tombstones = ledger->tombstones(kAccount, at);
    out.sessions = sessions;
    out.presence = &presence;
    out.denials = &denials;
    out.explain = false;
    return out;
}

Verdict World::judge(const SessionFacts& about, const Moment& at) const {
    return escort::judge(policy, about, evidence(at), false, at);
}

Moment World::later(std::uint64_t boot_ns) const {
    return {now.trusted + static_cast<std::int64_t>((boot_ns - now.boot_ns) / kNsPerSecond), boot_ns};
}

Words Maker::some(Words of) {
    std::erase_if(of, [this](const auto&) { return one_in(3); });
    return of;
}

Policy Maker::policy() {
    Policy out;
    auto& require = out.require;
    require.entries = placed(std::set<Entry>{Entry::sshd, Entry::su});
    require.admission = placed(one_in(2) ? Admission::gate : Admission::window);
    auto& engineer = require.engineer;
    if (one_in(3)) engineer.country.allow = placed(some({"US", "CA", "GB"}));
    if (one_in(5)) engineer.country.deny = placed(some({"CN", "RU", "CA"}));
    if (one_in(4)) engineer.location_max_age = placed<std::int64_t>(600);
    if (one_in(5)) engineer.location_asserted_by = placed(some({"posture", "facility"}));
    if (one_in(3)) engineer.citizenship.allow = placed(some({"US", "GB"}));
    if (one_in(6)) engineer.citizenship.deny = placed(some({"CN", "RU"}));
    if (one_in(4)) engineer.screening = placed(some({"tier3", "tier5"}));
    require.escort.required = placed(one_in(3));
    require.escort.has_unless = require.escort.required.value && one_in(3);
    if (require.escort.has_unless) {
        require.escort.unless_citizenship = some({"US"});
        require.escort.unless_screening = some({"tier5"});
    }
    if (one_in(2)) require.escort.lease = placed<std::int64_t>(30);
    require.escort.absent = placed(one_in(2) ? Absent::freeze : Absent::kill);
    if (one_in(2)) require.escort.grace = placed<std::int64_t>(120);
    if (one_in(4)) require.approvers_min = placed<std::uint32_t>(below(3));
    if (one_in(4)) require.ticket = placed<std::string>("INC[0-9]+");
    if (one_in(4)) require.source = placed(some({"203.0.113.0/24", "2001:db8::/32"}));
    if (one_in(5)) require.bind_source = Place{};
    if (one_in(5)) require.bind_ssh_key = Place{};
    if (one_in(4)) require.max_duration = placed<std::int64_t>(1000);
    if (one_in(4)) require.idle_timeout = placed<std::int64_t>(300);
    if (one_in(4)) require.max_sessions = placed<std::uint32_t>(1 + below(2));
    out.break_glass = placed(!one_in(4));
    if (one_in(6)) out.on_violation = placed(Violation::freeze);
    return out;
}

Approval Maker::approval(int number, const Moment& now) {
    Approval out;
    out.jti = "apr-" + std::to_string(number);
    out.account = kAccount;
    out.nbf = now.trusted - 300 + (one_in(6) ? 500 : 0);
    out.exp = now.trusted + (one_in(6) ? -10 : static_cast<int>(100 + below(2000)));
    out.engineer.id = "eng-" + std::to_string(below(3));
    out.engineer.citizenship = some({"US", "GB"});
    if (one_in(8)) out.engineer.citizenship.emplace_back("RU");
    out.engineer.screening = some({"tier3", "tier5"});
    if (!one_in(6))
        out.engineer.location =
            Location{Words{"US", "CA", "GB", "CN"}[below(4)], Words{"posture", "facility", "self"}[below(3)],
                     now.trusted - static_cast<int>(below(700)) + (one_in(9) ? 300 : 0)};
    if (!one_in(4))
        out.escort = Escort{one_in(5) ? out.engineer.id : "esc-" + std::to_string(below(2)), {}, {}};
    if (!one_in(4)) out.ticket = Ticket{"snow", one_in(4) ? "CHG1" : "INC1"};
    out.approvers = some({"iso-1", "iso-2", "eng-1", "esc-1"});
    if (one_in(2)) out.source = some({"203.0.113.0/25", "2001:db8::/64"});
    if (one_in(2)) out.ssh = {some({"SHA256:a", "SHA256:b"}), some({"id-a"})};
    if (one_in(3)) out.max_sessions = 1 + below(2);
    if (one_in(3)) out.max_duration = 500;
    return out;
}

std::unique_ptr<World> Maker::world() {
    auto out = std::make_unique<World>();
    out->now = {kEpoch, kBoot};
    out->policy = policy();
    out->ledger = std::make_unique<Ledger>(LedgerSettings{"h", {}, one_in(3) ? 120 : 0});
    const Moment then{kEpoch - 200, kBoot - 200 * kNsPerSecond};
    int number = 0;
    for (std::uint64_t seq = 0; seq < 2; ++seq) {
        ApprovalList list;
        list.issuer = kIssuer;
        list.audience = "host:h";
        list.subject = std::to_string(seq);
        list.iat = then.trusted;
        list.exp = kEpoch + (one_in(6) ? -100 : 900);
        list.break_glass = seq == 1;
        list.sha256 = "sha" + list.subject;
        for (unsigned i = below(3); i > 0; --i)
            list.approvals.push_back(approval(++number, out->now));
        if (one_in(8)) list.revoked = {"apr-" + std::to_string(1 + below(3))};
        (void)out->ledger->accept(std::move(list), then);
    }
    for (int i = 1; i <= number; ++i) {
        const ApprovalId id{kIssuer, "apr-" + std::to_string(i)};
        if (!one_in(4)) {
            const std::int64_t iat = kEpoch - below(40);
            (void)out->presence.accept(
                {id, "esc-" + std::to_string(below(2)), iat, iat + 20 + below(60), "s"},
                {iat, kBoot - static_cast<std::uint64_t>(kEpoch - iat) * kNsPerSecond});
        }
        if (one_in(3)) out->sessions[id] = 1 + below(2);
    }
    if (one_in(10)) out->denials.engineers.insert("eng-" + std::to_string(below(3)));
    if (one_in(20)) out->denials.accounts.insert(kAccount);
    if (one_in(15)) out->denials.approvals.insert("apr-1");

    auto& facts = out->facts;
    facts.account = kAccount;
    facts.entry = one_in(8) ? Entry::cron : one_in(2) ? Entry::su : Entry::sshd;
    facts.opened_boot_ns = kBoot - below(700) * kNsPerSecond;
    facts.gated = !one_in(4);
    facts.key_later = one_in(6);
    if (!one_in(3)) facts.source = Words{"203.0.113.5", "203.0.113.200", "2001:db8::1", "10.0.0.1"}[below(4)];
    if (!one_in(3)) facts.key = Words{"SHA256:a", "SHA256:b", "SHA256:c"}[below(3)];
    if (one_in(3)) facts.key_id = Words{"id-a", "id-b"}[below(2)];
    facts.idle_ns = below(400) * kNsPerSecond;
    return out;
}

} // namespace escort::random_world
