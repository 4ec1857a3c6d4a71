#include "service/doctor_findings.h"

#include <algorithm>
#include <fmt/format.h>
#include <sys/resource.h>

namespace escort {

namespace {

using nlohmann::json;

json row(const char* part, const std::string& name, const char* state, const std::string& detail,
         const std::string& hint = {}) {
    return {{"part", part}, {"name", name}, {"state", state}, {"detail", detail}, {"hint", hint}};
}

// One link for each processor; a processor that idles takes no sample.
bool is_clock(const std::string& program) {
    return program.starts_with("escort_sample");
}

// What no canary can run: the daemon's sandbox lets it neither attach to a process nor load code into the
// kernel.
bool is_unplayed(const std::string& program) {
    return program == "escort_attach" || program == "escort_load_data" || program == "escort_read_file" ||
           program == "escort_own_map" || program == "escort_restored";
}

bool died(const CanaryResult& canary) {
    return canary.why.empty() && canary.end == CanaryEnd::killed;
}

json canary_row(const CanaryResult& canary) {
    const std::string name = canary.must_die ? "canary by " + canary.name : canary.name;
    if (!canary.why.empty())
        return row("canary", name, "not_proven", "could not be started: " + canary.why,
                   "`journalctl -u escortd`: is the agent short of processes, or its sandbox too narrow?");
    if (!canary.must_die)
        return canary.end == CanaryEnd::running
                   ? row("canary", name, "not_proven", "the child for fork, exec and exit did not end")
                   : row("canary", name, "ok", "a child forked, exec'd and exited");
    switch (canary.end) {
    case CanaryEnd::killed:
        return row("canary", name, "proven", "killed before its next instruction");
    case CanaryEnd::lived:
        return row("canary", name, "not_proven", "LIVED: a session that must die went on",
                   "this host is not enforced: restart escortd, then see `escortctl status`");
    case CanaryEnd::could_not:
        return row("canary", name, "not_proven", "the agent may not change its uid",
                   "it needs CAP_SETUID: see the unit's CapabilityBoundingSet=");
    case CanaryEnd::running:
        return row("canary", name, "not_proven", "was neither dead nor done after 2 s",
                   "the machine is very busy, or the hooks don't fire: try again");
    case CanaryEnd::ended:
        break;
    }
    return row("canary", name, "not_proven", "ended, but not by SIGKILL",
               "`journalctl -u escortd` may tell why");
}

json policy_row(const Agent& agent) {
    const auto& error = agent.policies->error();
    const std::size_t count = agent.rulebook->policies().policies.size();
    if (!error.empty())
        return row("agent", "policy", "missing", "the newest set was refused: " + error,
                   "`escortctl policy check /etc/escortd/policies.d`, then `escortctl reload`");
    if (count == 0)
        return row("agent", "policy", "missing", "no policy is in force: nobody is governed",
                   "put one into policies.d (docs/policy.md)");
    if (agent.rulebook->observing())
        return row("agent", "policy", "missing", "mode_override: observe: this host only logs",
                   "take `mode_override` out of escortd.yaml");
    const auto& all = agent.rulebook->policies().policies;
    const auto watched = std::count_if(
        all.begin(), all.end(), [](const Policy& policy) { return policy.mode.value == Mode::observe; });
    if (watched != 0)
        return row("agent", "policy", "missing", fmt::format("{} of {} policies only watch", watched, count),
                   "`mode: enforce` in the policy, once its journal shows what you expect");
    return row("agent", "policy", "ok",
               fmt::format("{} in force, {} accounts", count, agent.rulebook->principals().by_uid.size()));
}

json issuers_row(const Agent& agent) {
    if (agent.settings.issuers)
        return row("agent", "issuers", "ok", fmt::format("{} configured", agent.settings.issuers->size()));
    return row("agent", "issuers", "missing", "any key of trust.d may sign for any issuer",
               "name them in escortd.yaml, `issuers:`");
}

json lists_row(const Agent& agent) {
    const std::int64_t now = agent.time->now().trusted;
    std::size_t fresh = 0, stale = 0;
    for (const auto* list : agent.store->ledger().lists())
        (list->exp + kClockSkew > now ? fresh : stale)++;
    if (fresh == 0)
        return row("agent", "lists", "missing",
                   stale == 0 ? "no approval list was ever accepted: nobody can be admitted"
                              : "every list has expired: nobody can be admitted",
                   "is the broker reachable, and its key in trust.d? `escortctl status`");
    return row("agent", "lists", stale == 0 ? "ok" : "missing",
               fmt::format("{} fresh, {} expired", fresh, stale),
               stale == 0 ? "" : "an expired list's approvals admit nobody: ask its broker for a new one");
}

json journal_row(const Agent& agent) {
    const auto counters = agent.journal->counters();
    if (counters.queued == 0)
        return row("agent", "journal", "ok",
                   fmt::format("{} sent, {} lost", counters.sent, counters.dropped));
    return row("agent", "journal", "missing", fmt::format("{} entries wait for journald", counters.queued),
               "systemctl status systemd-journald");
}

// Only kernels before 5.11 count maps and programs in it; those have no task storage for our programs either.
json memory_row() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return row("agent", "locked memory", "ok", "no limit");
    return row(
        "agent", "locked memory", "ok",
        fmt::format("limited to {} KiB, which binds kernels before 5.11 alone", limit.rlim_cur / 1024));
}

} // namespace

bool Examined::proven() const {
    std::size_t hooks = 0, deaths = 0;
    for (const auto& firing : firings) {
        if (is_clock(firing.name) || is_unplayed(firing.name)) continue;
        if (!firing.seen()) return false;
        ++hooks;
    }
    for (const auto& canary : canaries) {
        if (!canary.must_die) continue;
        if (!died(canary)) return false;
        ++deaths;
    }
    return hooks > 0 && deaths > 0;
}

json hook_rows(const std::vector<Firing>& firings) {
    json rows = json::array();
    for (const auto& firing : firings) {
        if (firing.seen())
            rows.push_back(row("hook", firing.name, "proven", fmt::format("ran {} times", firing.runs)));
        else if (is_clock(firing.name))
            rows.push_back(row("hook", firing.name, "ok", "attached; it runs now and then"));
        else if (is_unplayed(firing.name))
            rows.push_back(
                row("hook", firing.name, "ok",
                    "attached; runs when somebody attaches to a process or loads code into the kernel"));
        else
            rows.push_back(row("hook", firing.name, "not_proven", firing.why,
                               "`systemctl restart escortd` attaches it again; then `escortctl status`"));
    }
    if (rows.empty())
        rows.push_back(row("hook", "programs", "not_proven", "none is attached",
                           "`escortctl status` says what this kernel lacks"));
    return rows;
}

json canary_rows(const std::vector<CanaryResult>& canaries) {
    json rows = json::array();
    for (const auto& canary : canaries)
        rows.push_back(canary_row(canary));
    return rows;
}

json agent_rows(const Agent& agent) {
    json rows{policy_row(agent), issuers_row(agent), lists_row(agent), journal_row(agent), memory_row()};
    for (const auto& [what, condition] : agent.health->conditions())
        rows.push_back(row("agent", what, "missing", condition.why, condition.hint));
    if (!agent.health->conditions().contains("private_keys"))
        rows.push_back(row("agent", "private keys", "ok", "none that this host trusts is on it"));
    return rows;
}

json doctor_json(const Agent& agent, const Examined& examined) {
    json rows = hook_rows(examined.firings);
    for (const auto& part : {canary_rows(examined.canaries), agent_rows(agent)})
        rows.insert(rows.end(), part.begin(), part.end());
    return {{"proven", agent.tier != "none" && examined.proven()},
            {"tier", agent.tier},
            {"hooks", agent.programs ? to_string(agent.programs->hooks()) : "none"},
            {"hooks_note", agent.programs ? agent.programs->note() : ""},
            {"clock", agent.programs ? to_string(agent.programs->clock()) : "none"},
            {"version", ESCORT_VERSION},
            {"checks", std::move(rows)}};
}

} // namespace escort
