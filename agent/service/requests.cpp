#include "service/requests.h"

#include "output/records.h"
#include "policy/show.h"
#include "service/answers.h"
#include "service/doctor.h"
#include "service/preview.h"

#include <fmt/format.h>

namespace escort {

namespace {

using control::Exit;
using control::Peer;
using control::Permission;
using control::Reply;
using nlohmann::json;

// A string parameter; nothing when it is absent or no string.
std::optional<std::string> text_of(const json& params, const char* name) {
    const auto found = params.find(name);
    if (found == params.end() || !found->is_string()) return std::nullopt;
    return found->get<std::string>();
}

void no_kernel(const Reply& reply) {
    reply.fail(Exit::not_so, {"escortd", "this kernel is not enforced: there are no sessions to see",
                              "`escortctl status` says what is missing"});
}

void sessions(const Agent& agent, const json& params, const Reply& reply) {
    if (!agent.sessions) return no_kernel(reply);
    json list = json::array();
    agent.sessions->find_terminals();
    const auto counts = agent.sessions->process_counts();
    for (const auto& [id, session] : agent.sessions->table().live())
        list.push_back(session_json(agent, session, counts.contains(id) ? counts.at(id) : 0, false));
    if (params.value("all", false))
        for (const auto& session : agent.sessions->table().ended())
            list.push_back(session_json(agent, session, 0, false));
    reply.ok(list);
}

Session* find_session(const Agent& agent, const json& params, const Reply& reply) {
    if (!agent.sessions) {
        no_kernel(reply);
        return nullptr;
    }
    const auto name = text_of(params, "id");
    const auto id = name ? session_id(*name) : std::nullopt;
    if (!id) {
        reply.fail(Exit::usage, {name.value_or("session"), "is no session id", "it looks like 7f3a2c1e-42"});
        return nullptr;
    }
    Session* session = agent.sessions->table().find(*id);
    if (session == nullptr)
        reply.fail(Exit::not_so,
                   {"session " + *name, "is not known", "`escortctl sessions --all` lists them"});
    return session;
}

void session(const Agent& agent, const json& params, const Reply& reply) {
    const Session* found = find_session(agent, params, reply);
    if (found == nullptr) return;
    agent.sessions->find_terminals();
    const auto counts = agent.sessions->process_counts();
    const auto live = counts.find(found->id);
    reply.ok(session_json(agent, *found, live == counts.end() ? 0 : live->second, true));
}

void kill(Agent& agent, const json& params, const Peer& peer, const Reply& reply) {
    const Session* found = find_session(agent, params, reply);
    if (found == nullptr) return;
    const auto reason = text_of(params, "reason");
    if (!reason || reason->empty())
        return reply.fail(Exit::usage, {"kill", "a reason must be given", "--reason TEXT"});
    const std::uint64_t id = found->id;
    agent.journal->write(operator_act(peer.text(), "kill", session_name(id), *reason));
    const bool begun =
        agent.sessions->kill(id, {peer.text(), *reason}, [reply](const Session& one, const Ended& ended) {
            reply.ok({{"id", session_name(one.id)},
                      {"processes", one.killed},
                      {"elapsed_us", ended.elapsed_ns / 1000}});
        });
    if (!begun) reply.fail(Exit::not_so, {"session " + session_name(id), "has ended already"});
}

void explain(const Agent& agent, const json& params, const Reply& reply) {
    const auto account = text_of(params, "account");
    if (!account) return reply.fail(Exit::usage, {"explain", "an account must be given"});
    auto governed = agent.rulebook->governed_name(*account);
    if (!governed) governed = agent.rulebook->governed_unit(*account);
    if (!governed)
        return reply.fail(Exit::not_so,
                          {*account, "is no principal of a policy in force: nobody stands in its way",
                           "`escortctl policy show` lists the principals"});
    const auto entry = entry_from(text_of(params, "entry").value_or(governed->unit ? "unit" : "sshd"));
    if (!entry)
        return reply.fail(Exit::usage, {"entry", "is no way in", "sshd, login, su, sudo, cron, at, systemd"});
    Moment now = agent.time->now();
    if (const auto at = params.find("at"); at != params.end() && at->is_number_integer()) {
        // Deadlines live on CLOCK_BOOTTIME: a moment to come has both readings moved on.
        const auto then = at->get<std::int64_t>();
        if (then < now.trusted)
            return reply.fail(Exit::usage, {"at", "is in the past", "only what is to come is told"});
        now.boot_ns = std::max(now.boot_ns, now.boot_at(then));
        now.trusted = then;
    }
    SessionFacts facts;
    if (governed->unit)
        facts.unit = *account;
    else
        facts.account = *account;
    facts.entry = *entry;
    facts.opened_boot_ns = now.boot_ns;
    facts.gated =
        *entry == Entry::sshd || *entry == Entry::login || *entry == Entry::su || *entry == Entry::sudo;
    facts.source = text_of(params, "from");
    facts.key = text_of(params, "key");
    facts.key_id = text_of(params, "key_id");
    std::map<ApprovalId, std::uint32_t> in_use;
    if (agent.sessions) in_use = agent.sessions->table().in_use(0);
    reply.ok(verdict_json(agent.rulebook->judge(*governed, facts, in_use, now)));
}

json fates_json(const std::vector<Fate>& fates) {
    json list = json::array();
    for (const auto& fate : fates)
        list.push_back({{"id", fate.id.empty() ? json(nullptr) : json(fate.id)},
                        {"account", fate.account},
                        {"engineer", fate.engineer.empty() ? json(nullptr) : json(fate.engineer)},
                        {"reason", fate.reason},
                        {"processes", fate.processes}});
    return list;
}

void dry_run(Agent& agent, const Reply& reply) {
    agent.policies->preview([&agent, reply](const PolicyReload& result, const Rulebook& next) {
        const Fates all = fates(next, agent.sessions.get(), agent.time->now());
        reply.ok({{"accepted", result.accepted},
                  {"diagnostics", result.diagnostics},
                  {"would_end", fates_json(all.would_end)},
                  {"would_freeze", fates_json(all.would_freeze)},
                  {"would_go", fates_json(all.would_go)}});
    });
}

void reload(Agent& agent, const json& params, const Peer& peer, const Reply& reply) {
    if (params.value("dry_run", false)) return dry_run(agent, reply);
    agent.journal->write(operator_act(peer.text(), "reload", "", ""));
    agent.reload_trust();
    const std::size_t before = agent.sessions ? agent.sessions->ending().size() : 0;
    agent.policies->reload([&agent, reply, before](const PolicyReload& result) {
        const std::size_t after = agent.sessions ? agent.sessions->ending().size() : 0;
        reply.ok({{"accepted", result.accepted},
                  {"diagnostics", result.diagnostics},
                  {"policy",
                   {{"sha256", agent.rulebook->policies().sha256},
                    {"policies", agent.rulebook->policies().policies.size()},
                    {"loaded", agent.policies->loaded()}}},
                  {"ended", after > before ? after - before : 0}});
    });
}

void freeze(Agent& agent, const json& params, const Peer& peer, const Reply& reply) {
    const Session* found = find_session(agent, params, reply);
    if (found == nullptr) return;
    const std::uint64_t id = found->id;
    const std::string note = text_of(params, "reason").value_or("");
    agent.journal->write(operator_act(peer.text(), "freeze", session_name(id), note));
    const bool begun = agent.sessions->freeze(id, {peer.text(), note}, [reply, id](const Frozen& frozen) {
        if (frozen.gone)
            return reply.fail(Exit::not_so,
                              {"session " + session_name(id), "ended, or was thawed, before it stood still"});
        reply.ok({{"id", session_name(id)},
                  {"processes", frozen.processes},
                  {"moving", frozen.moving},
                  {"elapsed_us", frozen.elapsed_ns / 1000}});
    });
    if (!begun) reply.fail(Exit::not_so, {"session " + session_name(id), "has ended already"});
}

void thaw(Agent& agent, const json& params, const Peer& peer, const Reply& reply) {
    const Session* found = find_session(agent, params, reply);
    if (found == nullptr) return;
    const std::uint64_t id = found->id;
    const std::string note = text_of(params, "reason").value_or("");
    agent.journal->write(operator_act(peer.text(), "thaw", session_name(id), note));
    if (!agent.sessions->thaw(id, {peer.text(), note}))
        return reply.fail(Exit::not_so, {"session " + session_name(id), "was not frozen by hand",
                                         "one that waits for its escort goes on when the lease is renewed"});
    const Session* after = agent.sessions->table().find(id);
    reply.ok({{"id", session_name(id)}, {"frozen", after != nullptr && after->frozen}});
}

// `deny` shuts a door of this host, `undeny` opens it again.
void set_denial(Agent& agent, const json& params, bool shut, const Peer& peer, const Reply& reply) {
    const char* act = shut ? "deny" : "undeny";
    const auto kind = denial_kind(text_of(params, "kind").value_or(""));
    const auto id = text_of(params, "id");
    if (!kind || !id || id->empty())
        return reply.fail(Exit::usage, {act, "kind (approval, engineer or account) and id must be given"});
    const auto changed = agent.denials->set(*kind, *id, shut);
    if (!changed) return reply.fail(Exit::not_so, changed.error());
    if (!*changed) return reply.fail(Exit::not_so, {*id, shut ? "is denied already" : "is not denied"});
    agent.journal->write(operator_act(peer.text(), act, *text_of(params, "kind") + " " + *id, ""));
    const std::size_t before = agent.sessions ? agent.sessions->ending().size() : 0;
    agent.denials->on_change();
    const std::size_t after = agent.sessions ? agent.sessions->ending().size() : 0;
    reply.ok(
        {{"kind", *text_of(params, "kind")}, {"id", *id}, {"ended", after > before ? after - before : 0}});
}

} // namespace

std::vector<control::Request> requests(Agent& agent, DocumentWaiters& waiters) {
    return {
        {"status", Permission::read,
         [&](const json&, const Peer&, const Reply& reply) { reply.ok(status_json(agent)); }},
        {"sessions", Permission::read,
         [&](const json& params, const Peer&, const Reply& reply) { sessions(agent, params, reply); }},
        {"session", Permission::read,
         [&](const json& params, const Peer&, const Reply& reply) { session(agent, params, reply); }},
        {"approvals", Permission::read,
         [&](const json&, const Peer&, const Reply& reply) { reply.ok(approvals_json(agent)); }},
        {"explain", Permission::read,
         [&](const json& params, const Peer&, const Reply& reply) { explain(agent, params, reply); }},
        {"policy_show", Permission::read,
         [&](const json&, const Peer&, const Reply& reply) {
             auto shown = show_json(agent.rulebook->policies());
             shown["text"] = show_text(agent.rulebook->policies());
             reply.ok(shown);
         }},
        {"documents", Permission::operate,
         [&](const json&, const Peer&, const Reply& reply) { reply.ok(documents_json(agent)); }},
        {"document_result", Permission::operate,
         [&](const json& params, const Peer&, const Reply& reply) {
             const auto sha256 = text_of(params, "sha256");
             if (!sha256) return reply.fail(Exit::usage, {"document_result", "sha256 must be given"});
             waiters.wait(*sha256, reply);
         }},
        {"doctor", Permission::operate,
         [doctor = std::make_shared<Doctor>(agent, waiters.loop())](
             const json&, const Peer&, const Reply& reply) { doctor->examine(reply); }},
        {"kill", Permission::operate,
         [&](const json& params, const Peer& peer, const Reply& reply) { kill(agent, params, peer, reply); }},
        {"freeze", Permission::operate,
         [&](const json& params, const Peer& peer, const Reply& reply) {
             freeze(agent, params, peer, reply);
         }},
        {"thaw", Permission::operate,
         [&](const json& params, const Peer& peer, const Reply& reply) { thaw(agent, params, peer, reply); }},
        {"deny", Permission::operate,
         [&](const json& params, const Peer& peer, const Reply& reply) {
             set_denial(agent, params, true, peer, reply);
         }},
        {"undeny", Permission::operate,
         [&](const json& params, const Peer& peer, const Reply& reply) {
             set_denial(agent, params, false, peer, reply);
         }},
        {"reload", Permission::operate,
         [&](const json& params, const Peer& peer, const Reply& reply) {
             reload(agent, params, peer, reply);
         }},
    };
}

} // namespace escort
