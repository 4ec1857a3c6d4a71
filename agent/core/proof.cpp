#include "core/proof.h"

#include "base/contains.h"
#include "core/cidr.h"

namespace escort {

namespace {

constexpr const char* kUnbound = "not known, and not bound";

bool within(const std::string& address, const std::vector<std::string>& networks) {
    const auto parsed = parse_ip(address);
    return parsed && in_any(*parsed, networks);
}

void check_denied(const SessionFacts& facts, const Evidence& evidence, Findings& found) {
    const std::string& name = facts.unit.empty() ? facts.account : facts.unit;
    if (evidence.denials != nullptr && evidence.denials->hits_account(name))
        found.fail(Reason::denied_locally, "deny", Place{}, [&] { return name + " is denied on this host"; });
}

void check_entry(const Policy& policy, const SessionFacts& facts, Findings& found) {
    const auto& entries = policy.require.entries;
    if (!facts.unit.empty()) {
        found.skip("require.entries", entries.place, [] { return "a unit's: principals.units names it"; });
        return;
    }
    if (facts.entry == Entry::existing) {
        found.skip("require.entries", entries.place,
                   [] { return "was there before the agent: its way in is not known"; });
        return;
    }
    found.check(entries.value.contains(facts.entry), Reason::entry_denied, "require.entries", entries.place,
                [&] { return std::string("came in by ") + to_string(facts.entry); });
}

// A session that was there before the agent was not cleared by its gate either: `gate` says that only what
// was cleared may be, so it ends. One that a gate cleared keeps its label over the daemon's restarts.
void check_gate(const Policy& policy, const SessionFacts& facts, Findings& found) {
    const auto& admission = policy.require.admission;
    if (!facts.unit.empty()) {
        found.skip("require.admission", admission.place, [] { return "a unit's is judged as window"; });
        return;
    }
    if (admission.value == Admission::window) {
        found.skip("require.admission", admission.place,
                   [] { return "window: the gate need not have cleared it"; });
        return;
    }
    found.check(facts.gated, Reason::ungated, "require.admission", admission.place, [&] {
        return facts.gated ? "the gate cleared it" : "the gate did not clear it before its first instruction";
    });
}

void check_idle(const Policy& policy, const SessionFacts& facts, const Moment& now, Findings& found) {
    const auto& timeout = policy.require.idle_timeout;
    if (!timeout) return;
    const std::uint64_t limit_ns = seconds_after(0, timeout->value);
    const bool active = facts.idle_ns < limit_ns;
    found.check(active, Reason::idle, "require.idle_timeout", timeout->place, [&] {
        return "idle for " + std::to_string(facts.idle_ns / kNsPerSecond) + " s; asked: less than " +
               std::to_string(timeout->value) + " s";
    });
    if (active && limit_ns - facts.idle_ns < kNever - now.boot_ns)
        found.changes_at(now.boot_ns + (limit_ns - facts.idle_ns));
}

} // namespace

void check_session(const Policy& policy, const SessionFacts& facts, const Evidence& evidence,
                   const Moment& now, Findings& found) {
    check_denied(facts, evidence, found);
    check_entry(policy, facts, found);
    check_gate(policy, facts, found);
    check_idle(policy, facts, now, found);
}

bool names_key(const Approval& approval, const SessionFacts& facts) {
    return contains(approval.ssh.fingerprints, facts.key) || contains(approval.ssh.key_ids, facts.key_id);
}

bool names_source(const Approval& approval, const SessionFacts& facts) {
    return facts.source && within(*facts.source, approval.source);
}

void check_key(const Case& one, Findings& found) {
    const SshBinding& ssh = one.approval().ssh;
    const auto& bound = one.policy.require.bind_ssh_key;
    const bool named = !ssh.fingerprints.empty() || !ssh.key_ids.empty();
    const Origin from = bound ? Origin(*bound) : Origin(one);
    const char* rule = bound ? "require.bind.ssh_key" : "approval.ssh";
    if (!named) {
        if (bound) found.fail(Reason::unproven, rule, from, [] { return "the approval names no key"; });
        return;
    }
    if (!one.facts.key && !one.facts.key_id) {
        if (one.facts.key_later || one.unseen)
            found.skip(rule, from, [] { return "proven later: the key is not known yet"; });
        else if (bound)
            found.fail(Reason::unproven, rule, from, [] { return "the session's key is not known"; });
        else
            found.skip(rule, from, [] { return kUnbound; });
        return;
    }
    found.check(names_key(one.approval(), one.facts), Reason::key_mismatch, rule, from, [&] {
        return "key " + one.facts.key.value_or("not known") +
               (one.facts.key_id ? ", key id " + *one.facts.key_id : "") +
               "; approved: " + text_of(ssh.fingerprints) + ", key ids: " + text_of(ssh.key_ids);
    });
}

void check_source(const Case& one, Findings& found) {
    const auto& require = one.policy.require.source;
    const auto& bound = one.policy.require.bind_source;
    const auto& approved = one.approval().source;
    const auto& source = one.facts.source;
    const auto detail = [&](const std::vector<std::string>& list) {
        return "from " + *source + "; asked: " + text_of(list);
    };
    if (bound) {
        if (approved.empty() || (!source && !one.unseen))
            found.fail(Reason::unproven, "require.bind.source", *bound, [&] {
                return approved.empty() ? "the approval names no address" : "the peer's address is not known";
            });
        else
            found.pass("require.bind.source", *bound,
                       [&] { return "from " + source.value_or("an address that is seen later"); });
    }
    if (require) {
        if (source)
            found.check(within(*source, require->value), Reason::source_mismatch, "require.source",
                        require->place, [&] { return detail(require->value); });
        else if (require->value.empty()) // no address is allowed: neither is one that nobody knows
            found.fail(Reason::source_mismatch, "require.source", require->place,
                       [] { return "no address is allowed"; });
        else if (!bound)
            found.skip("require.source", require->place, [] { return kUnbound; });
    }
    if (approved.empty()) return;
    if (source)
        found.check(within(*source, approved), Reason::source_mismatch, "approval.source", one,
                    [&] { return detail(approved); });
    else if (!bound)
        found.skip("approval.source", one, [] { return kUnbound; });
}

void check_sessions(const Case& one, Findings& found) {
    if (one.live()) return;
    const auto found_use = one.evidence.sessions.find(one.candidate.id());
    const std::uint32_t in_use = found_use == one.evidence.sessions.end() ? 0 : found_use->second;
    const auto judge = [&](std::uint32_t limit, const char* rule, const Origin& from) {
        found.check(in_use < limit, Reason::session_limit, rule, from, [&] {
            return std::to_string(in_use) + " other live sessions; asked: at most " + std::to_string(limit);
        });
    };
    if (const auto& limit = one.policy.require.max_sessions)
        judge(limit->value, "require.max_sessions", limit->place);
    if (const auto& limit = one.approval().max_sessions) judge(*limit, "approval.max_sessions", one);
}

void check_duration(const Case& one, Findings& found) {
    const auto judge = [&](std::int64_t longest, const char* rule, const Origin& from) {
        const std::uint64_t end = seconds_after(one.facts.opened_boot_ns, longest);
        found.check(one.now.boot_ns < end, Reason::duration_exceeded, rule, from, [&] {
            const std::uint64_t since = one.now.boot_ns - std::min(one.now.boot_ns, one.facts.opened_boot_ns);
            return "open for " + std::to_string(since / kNsPerSecond) + " s; asked: less than " +
                   std::to_string(longest) + " s";
        });
        found.ends_at(end);
    };
    if (const auto& longest = one.policy.require.max_duration)
        judge(longest->value, "require.max_duration", longest->place);
    if (const auto& longest = one.approval().max_duration) judge(*longest, "approval.max_duration", one);
}

} // namespace escort
