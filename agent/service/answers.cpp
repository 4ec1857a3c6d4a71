#include "service/answers.h"

#include <algorithm>

namespace escort {

namespace {

using nlohmann::json;

json or_null(const std::string& text) {
    return text.empty() ? json(nullptr) : json(text);
}

template <typename T>
json or_null(const std::optional<T>& value) {
    return value ? json(*value) : json(nullptr);
}

// Seconds since the epoch at which CLOCK_BOOTTIME reaches `deadline`; null when that is never.
json epoch_of(std::uint64_t deadline, const Moment& now) {
    if (deadline == kNever || deadline == 0) return nullptr;
    if (deadline <= now.boot_ns) return now.trusted;
    return now.trusted + static_cast<std::int64_t>((deadline - now.boot_ns) / kNsPerSecond);
}

json lists_json(const Agent& agent) {
    json lists = json::array();
    const Moment now = agent.time->now();
    for (const auto* list : agent.store->ledger().lists())
        lists.push_back({{"issuer", list->issuer},
                         {"audience", list->audience},
                         {"subject", list->subject},
                         {"seq", list->seq},
                         {"age_seconds", now.trusted - list->iat},
                         {"expires", list->exp},
                         {"approvals", list->approvals.size()},
                         {"key", list->key}});
    return lists;
}

json counters_json(const Agent& agent) {
    json counters = json::object();
    if (!agent.kernel) return counters;
    const auto values = agent.kernel->counters();
    for (std::size_t i = 0; i < values.size(); i++)
        counters[counter_name(static_cast<escort_counter>(i))] = values[i];
    return counters;
}

json warnings_json(const Agent& agent) {
    json warnings = json::array();
    if (!agent.settings.issuers)
        warnings.push_back(
            "no `issuers:` in the settings: any key of trust.d may sign for any issuer (evaluation only)");
    if (agent.rulebook->policies().policies.empty())
        warnings.push_back("no policy is in force: nobody is governed");
    if (agent.rulebook->observing()) warnings.push_back("mode_override: observe: this host only logs");
    return warnings;
}

std::size_t frozen_count(const Agent& agent) {
    if (!agent.sessions) return 0;
    const auto& live = agent.sessions->table().live();
    return static_cast<std::size_t>(
        std::count_if(live.begin(), live.end(), [](const auto& entry) { return entry.second.frozen; }));
}

// Emergency approvals in force, and the live sessions that use one.
json break_glass_json(const Agent& agent) {
    std::size_t approvals = 0, sessions = 0;
    for (const auto& candidate : agent.store->ledger().all(agent.time->now()))
        if (candidate.list->break_glass && candidate.admits()) ++approvals;
    if (agent.sessions)
        for (const auto& [id, session] : agent.sessions->table().live())
            if (session.verdict.reason == Reason::break_glass) ++sessions;
    return {{"approvals", approvals}, {"sessions", sessions}};
}

json denials_json(const Agent& agent) {
    json list = json::array();
    const auto add = [&](const char* kind, const std::set<std::string>& ids) {
        for (const auto& id : ids)
            list.push_back({{"kind", kind}, {"id", id}});
    };
    const Denials& denials = agent.denials->all();
    add("approval", denials.approvals);
    add("engineer", denials.engineers);
    add("account", denials.accounts);
    return list;
}

// What the broker is told; null where no source takes it.
json events_json(const Agent& agent) {
    if (!agent.events) return nullptr;
    const auto counters = agent.events->counters();
    const auto* told = agent.courier->events();
    return {{"waiting", counters.waiting},
            {"sent", told == nullptr ? 0 : told->sent},
            {"dropped", counters.dropped},
            {"key", or_null(agent.events->key())},
            {"last_error", told == nullptr ? "" : told->last_error}};
}

const char* why_unusable(const Candidate& candidate) {
    if (candidate.revoked) return to_string(Reason::revoked);
    if (candidate.expired) return to_string(Reason::expired);
    if (candidate.not_yet_valid) return to_string(Reason::not_yet_valid);
    if (candidate.list_stale) return to_string(Reason::list_stale);
    return nullptr;
}

} // namespace

json status_json(const Agent& agent) {
    const auto& policies = *agent.policies;
    json degraded = json::array();
    for (const auto& [what, condition] : agent.health->conditions())
        degraded.push_back({{"what", what}, {"why", condition.why}, {"hint", condition.hint}});
    const auto journal = agent.journal->counters();
    std::uint64_t drops = journal.dropped;
    if (agent.kernel) drops += agent.kernel->counters()[ESCORT_COUNT_RING_FULL];
    const std::size_t live = agent.sessions ? agent.sessions->table().live().size() : 0;
    return {{"healthy", agent.health->healthy()},
            {"tier", agent.tier},
            {"hooks", agent.programs ? to_string(agent.programs->hooks()) : "none"},
            {"host_id", agent.settings.host_id},
            {"version", ESCORT_VERSION},
            {"mode_override", agent.rulebook->observing() ? json("observe") : json(nullptr)},
            {"started", agent.started},
            {"uptime_seconds", agent.time->now().trusted - agent.started},
            {"policy",
             {{"sha256", agent.rulebook->policies().sha256},
              {"error", or_null(policies.error())},
              {"loaded", policies.loaded()},
              {"policies", agent.rulebook->policies().policies.size()},
              {"kept", policies.kept()}}},
            {"documents", lists_json(agent)},
            {"sources", agent.courier->sources_json(agent.time->now().boot_ns)},
            {"events", events_json(agent)},
            {"sessions", live},
            {"frozen", frozen_count(agent)},
            {"break_glass", break_glass_json(agent)},
            {"denials", denials_json(agent)},
            {"drops", drops},
            {"degraded", std::move(degraded)},
            {"warnings", warnings_json(agent)},
            {"last_error", or_null(agent.health->last_error())},
            {"principals", agent.rulebook->principals().by_uid.size()},
            {"counters", counters_json(agent)}};
}

json verdict_json(const Verdict& verdict) {
    json reasons = json::array();
    for (const auto reason : verdict.reasons)
        reasons.push_back(to_string(reason));
    json rules = json::array();
    for (const auto& rule : verdict.rules)
        rules.push_back({{"rule", rule.rule},
                         {"outcome", rule.check == Check::pass   ? "pass"
                                     : rule.check == Check::fail ? "fail"
                                                                 : "skip"},
                         {"detail", rule.detail},
                         {"from", or_null(rule.from)}});
    const bool approved = verdict.ruling == Ruling::approved;
    return {{"verdict", approved                              ? "approved"
                        : verdict.observe || verdict.log_only ? "observed"
                                                              : "denied"},
            {"reason", to_string(verdict.reason)},
            {"reasons", std::move(reasons)},
            {"approval", verdict.approval ? json(verdict.approval->jti) : json(nullptr)},
            {"rules", std::move(rules)}};
}

// Each fact with where it is known from; what is not known isn't there.
json facts_json(const Session& session) {
    json facts = json::array();
    const auto add = [&](const char* name, const auto& value, const std::string& from) {
        if (value) facts.push_back({{"name", name}, {"value", *value}, {"from", from}});
    };
    const auto text = [](const std::string& value) {
        return value.empty() ? std::optional<std::string>() : std::optional(value);
    };
    const std::string opener = "kernel: " + session.exe + ", pid " + std::to_string(session.pid) +
                               (session.cgroup.empty() ? "" : ", in " + session.cgroup);
    const Proven& proven = session.proven;
    add("entry", text(to_string(session.entry)), opener);
    add("tty", text(session.tty), "kernel: its controlling terminal");
    add("audit_session", session.audit_session, "kernel: task_struct.sessionid");
    add("login_uid", session.login_uid, "kernel: task_struct.loginuid");
    add("source", proven.source, proven.source_from.value_or(""));
    add("key", proven.key, proven.key_from.value_or(""));
    add("key_id", proven.key_id, proven.key_from.value_or(""));
    add("logind_session", text(session.logind_session), "logind");
    add("scope", text(session.scope), "logind");
    add("gate", text(proven.gated ? "cleared" : ""), "PAM gate, before its first instruction");
    return facts;
}

json session_json(const Agent& agent, const Session& session, std::size_t processes, bool whole) {
    json verdict = verdict_json(session.verdict);
    const bool ended = session.stage == Stage::ended;
    json result{
        {"id", session_name(session.id)},
        {"account", session.account},
        {"uid", session.uid},
        {"entry", to_string(session.entry)},
        {"source", or_null(session.proven.source)},
        {"tty", or_null(session.tty)},
        {"verdict", verdict["verdict"]},
        {"reason", verdict["reason"]},
        {"reasons", verdict["reasons"]},
        {"action", session.action},
        {"approval", verdict["approval"]},
        {"engineer", or_null(session.verdict.engineer)},
        {"ticket", or_null(session.verdict.ticket)},
        {"started", session.started},
        {"ends", ended ? json(session.ended) : epoch_of(session.verdict.deadline_boot_ns, agent.time->now())},
        {"processes", processes},
        {"frozen", session.frozen},
        {"audit_session", or_null(session.audit_session)},
        {"logind_session", or_null(session.logind_session)},
        {"state", to_string(session.stage)}};
    if (!whole) return result;
    result["escort"] = or_null(session.verdict.escort);
    result["facts"] = facts_json(session);
    result["policy"] = or_null(session.policy);
    result["pid"] = session.pid;
    result["comm"] = session.comm;
    result["exe"] = or_null(session.exe);
    result["cgroup"] = or_null(session.cgroup);
    result["login_uid"] = or_null(session.login_uid);
    result["rules"] = verdict["rules"];
    return result;
}

json approvals_json(const Agent& agent) {
    json approvals = json::array();
    for (const auto& candidate : agent.store->ledger().all(agent.time->now())) {
        const Approval& approval = *candidate.approval;
        const char* reason = why_unusable(candidate);
        const bool principal = approval.unit.empty()
                                   ? agent.rulebook->uid_of(approval.account).has_value()
                                   : agent.rulebook->governed_unit(approval.unit).has_value();
        if (reason == nullptr && !principal) reason = "no_principal";
        approvals.push_back({{"id", approval.jti},
                             {"account", approval.account.empty() ? approval.unit : approval.account},
                             {"engineer", approval.engineer.id},
                             {"ticket", approval.ticket ? json(approval.ticket->id) : json(nullptr)},
                             {"not_before", approval.nbf},
                             {"expires", approval.exp},
                             {"usable", reason == nullptr},
                             {"reason", reason == nullptr ? json(nullptr) : json(reason)},
                             {"issuer", candidate.list->issuer}});
    }
    std::sort(approvals.begin(), approvals.end(), [](const json& left, const json& right) {
        return std::make_pair(left["issuer"], left["id"]) < std::make_pair(right["issuer"], right["id"]);
    });
    return approvals;
}

json documents_json(const Agent& agent) {
    json documents = json::array();
    for (const auto* list : agent.store->ledger().lists()) {
        const auto raw = agent.store->raw(list->sha256);
        documents.push_back({{"issuer", list->issuer},
                             {"audience", list->audience},
                             {"subject", list->subject},
                             {"seq", list->seq},
                             {"raw", raw ? json(*raw) : json(nullptr)}});
    }
    return documents;
}

} // namespace escort
