// escortctl sessions, session ID.
#include "escortctl/command.h"

namespace escort::ctl {

namespace {

using nlohmann::json;

// What to show of where a session stands: "frozen" is a state of a live one.
std::string state_text(const json& session) {
    const std::string state = text_of(session, "state");
    return state == "live" && flag_of(session, "frozen") ? "frozen" : state;
}

void print_sessions(const Output& output, const json& sessions) {
    std::vector<std::vector<Cell>> rows;
    for (const json& session : sessions) {
        const std::string source = text_of(session, "source");
        rows.push_back({{text_of(session, "id")},
                        {text_of(session, "account")},
                        {text_of(session, "entry")},
                        {source.empty() ? text_of(session, "tty") : source, source},
                        {text_of(session, "engineer")},
                        {text_of(session, "approval")},
                        {text_of(session, "verdict")},
                        {text_of(session, "reason")},
                        left_cell(number_of(session, "ends"), output.now),
                        {text_of(session, "processes")},
                        {state_text(session)}});
    }
    if (rows.empty() && output.terminal) {
        output.out << "No sessions.\n";
        return;
    }
    print_table(output,
                {"ID", "ACCOUNT", "BY", "FROM", "ENGINEER", "APPROVAL", "VERDICT", "REASON", "LEFT", "PROCS",
                 "STATE"},
                rows);
}

Run declare_sessions(CLI::App& app) {
    const auto all = std::make_shared<bool>(false);
    app.add_flag("--all", *all, "Ended ones too, as far as the daemon remembers them");
    return [all](const Context& context) -> Outcome<Exit> {
        const auto sessions = context.ask("sessions", {{"all", *all}});
        if (!sessions) return tl::unexpected<Failure>(sessions.error());
        if (context.json)
            print_json(context.output, *sessions);
        else
            print_sessions(context.output, *sessions);
        return Exit::done;
    };
}

// "source 203.0.113.7 (socket of sshd, pid 46)".
std::string fact_text(const json& fact) {
    const std::string from = text_of(fact, "from");
    std::string text = text_of(fact, "name") + " " + text_of(fact, "value");
    if (!from.empty()) text += " (" + from + ")";
    return text;
}

std::string rule_text(const json& rule) {
    const std::string detail = text_of(rule, "detail");
    const std::string from = text_of(rule, "from");
    std::string text = text_of(rule, "outcome") + " " + text_of(rule, "rule");
    if (!detail.empty()) text += ": " + detail;
    if (!from.empty()) text += " (" + from + ")";
    return text;
}

void print_session(const Output& output, const json& session) {
    std::vector<std::pair<std::string, Cell>> pairs;
    for (const char* key : {"id", "account", "uid", "entry", "source", "tty", "verdict", "reason", "reasons",
                            "action", "approval", "engineer", "escort", "ticket", "policy"})
        pairs.push_back({key, {text_of(session, key)}});
    pairs.push_back({"started", time_cell(number_of(session, "started"))});
    pairs.push_back({"ends", time_cell(number_of(session, "ends"))});
    for (const char* key :
         {"state", "processes", "frozen", "pid", "comm", "cgroup", "audit_session", "logind_session"})
        pairs.push_back({key, {text_of(session, key)}});
    for (const json& fact : list_of(session, "facts"))
        pairs.push_back({"fact", {fact_text(fact)}});
    for (const json& rule : list_of(session, "rules"))
        pairs.push_back({"rule", {rule_text(rule)}});
    print_pairs(output, pairs);
}

Run declare_session(CLI::App& app) {
    const auto id = std::make_shared<std::string>();
    app.add_option("ID", *id, "The session's id, as 'escortctl sessions' shows it")->required();
    return [id](const Context& context) -> Outcome<Exit> {
        const auto session = context.ask("session", {{"id", *id}});
        if (!session) return tl::unexpected<Failure>(session.error());
        if (context.json)
            print_json(context.output, *session);
        else
            print_session(context.output, *session);
        return Exit::done;
    };
}

} // namespace

std::vector<Command> session_commands() {
    return {{"sessions", "Live sessions of support accounts", declare_sessions,
             "ID ACCOUNT ENTRY SOURCE ENGINEER APPROVAL VERDICT REASON ENDS PROCESSES STATE"},
            {"session", "One session, with the rules it was judged by", declare_session, "NAME VALUE"}};
}

} // namespace escort::ctl
