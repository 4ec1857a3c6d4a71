// escortctl status: is this host enforcing, by what, and how fresh is what it knows.
#include "escortctl/command.h"
#include "escortctl/words.h"

namespace escort::ctl {

namespace {

using nlohmann::json;

// What is not as usual: emergencies' approvals, and doors that this host's admin has shut.
void add_exceptions(std::vector<std::pair<std::string, Cell>>& pairs, const json& status) {
    const json& emergency = object_of(status, "break_glass");
    const std::int64_t approvals = number_of(emergency, "approvals");
    const std::int64_t sessions = number_of(emergency, "sessions");
    if (approvals + sessions > 0)
        pairs.push_back({"break-glass",
                         {"IN FORCE: " + counted(approvals, "approval", "approvals") + ", " +
                              counted(sessions, "session", "sessions"),
                          std::to_string(approvals) + " " + std::to_string(sessions)}});
    for (const json& denial : list_of(status, "denials"))
        pairs.push_back({"denied here", {text_of(denial, "kind") + " " + text_of(denial, "id")}});
}

// What the broker is told of sessions.
void add_events(std::vector<std::pair<std::string, Cell>>& pairs, const json& status) {
    const json& events = object_of(status, "events");
    if (events.empty()) return;
    const std::string error = text_of(events, "last_error");
    const auto count = [&](const char* key) { return std::to_string(number_of(events, key)); };
    pairs.push_back({"events to broker",
                     {count("sent") + " sent, " + count("waiting") + " wait, " + count("dropped") + " lost" +
                          (error.empty() ? "" : ": " + error),
                      count("sent") + " " + count("waiting") + " " + count("dropped")}});
    pairs.push_back({"event key", {text_of(events, "key")}});
}

std::vector<std::pair<std::string, Cell>> summary(const json& status, std::int64_t now) {
    const json& policy = object_of(status, "policy");
    const std::string sha256 = text_of(policy, "sha256");
    const std::int64_t loaded = number_of(policy, "loaded");
    const std::int64_t uptime = number_of(status, "uptime_seconds");
    std::vector<std::pair<std::string, Cell>> pairs{
        {"healthy", {text_of(status, "healthy")}},
        {"tier", {text_of(status, "tier")}},
        {"hooks", {text_of(status, "hooks")}},
        {"host", {text_of(status, "host_id")}},
        {"version", {text_of(status, "version")}},
        {"running for", {duration_text(uptime), std::to_string(uptime)}},
        {"policy", {sha256.substr(0, 12), sha256}},
        {"policy loaded", time_cell(loaded)},
        {"policies", {text_of(policy, "policies")}},
        {"accounts governed", {text_of(status, "principals")}},
        {"sessions", {text_of(status, "sessions")}},
        {"frozen", {std::to_string(number_of(status, "frozen"))}},
        {"drops", {text_of(status, "drops")}},
    };
    if (loaded != 0 && now >= loaded) pairs[7].second.human += " (" + duration_text(now - loaded) + " ago)";
    if (flag_of(policy, "kept"))
        pairs.push_back({"policy kept", {"yes: the newest files were refused", "yes"}});
    add_exceptions(pairs, status);
    if (const std::string mode = text_of(status, "mode_override"); !mode.empty())
        pairs.push_back({"mode override", {mode}});
    if (const std::string error = text_of(policy, "error"); !error.empty())
        pairs.push_back({"policy error", {error}});
    if (const std::string error = text_of(status, "last_error"); !error.empty())
        pairs.push_back({"last error", {error}});
    add_events(pairs, status);
    for (const json& warning : list_of(status, "warnings"))
        if (warning.is_string()) pairs.push_back({"warning", {warning.get<std::string>()}});
    for (const json& part : list_of(status, "degraded")) {
        const std::string hint = text_of(part, "hint");
        const std::string text = text_of(part, "what") + ": " + text_of(part, "why");
        pairs.push_back({"degraded", {hint.empty() ? text : text + " (" + hint + ")"}});
    }
    return pairs;
}

void print_documents(const Output& output, const json& status) {
    std::vector<std::vector<Cell>> rows;
    for (const json& document : list_of(status, "documents")) {
        const std::int64_t age = number_of(document, "age_seconds");
        rows.push_back({{text_of(document, "issuer")},
                        {text_of(document, "audience")},
                        {text_of(document, "subject")},
                        {text_of(document, "seq")},
                        {duration_text(age), std::to_string(age)},
                        left_cell(number_of(document, "expires"), output.now),
                        {text_of(document, "approvals")}});
    }
    if (output.terminal) {
        if (rows.empty()) return;
        output.out << '\n';
    } else {
        for (auto& row : rows)
            row.insert(row.begin(), Cell("document"));
    }
    std::vector<std::string> header{"ISSUER", "AUDIENCE", "LIST", "SEQ", "AGE", "LEFT", "APPROVALS"};
    if (!output.terminal) header.insert(header.begin(), "");
    print_table(output, header, rows);
}

// Where documents come from.
void print_sources(const Output& output, const json& status) {
    const auto age = [](const json& source, const char* key, const char* never) -> Cell {
        const auto seconds = source.find(key);
        if (seconds == source.end() || !seconds->is_number()) return {never, "-"};
        return {duration_text(number_of(source, key)), std::to_string(number_of(source, key))};
    };
    std::vector<std::vector<Cell>> rows;
    for (const json& source : list_of(status, "sources"))
        rows.push_back({{text_of(source, "name")},
                        {text_of(source, "state")},
                        age(source, "last_success_seconds", "never"),
                        age(source, "last_list_seconds", "never"),
                        age(source, "next_try_seconds", "-"),
                        {std::to_string(number_of(source, "documents"))},
                        {text_of(source, "last_error")}});
    if (rows.empty()) return;
    std::vector<std::string> header{"SOURCE",   "STATE",     "ANSWERED",  "LIST",
                                    "NEXT TRY", "DOCUMENTS", "LAST ERROR"};
    if (output.terminal) {
        output.out << '\n';
    } else {
        for (auto& row : rows)
            row.insert(row.begin(), Cell("source"));
        header.insert(header.begin(), "");
    }
    print_table(output, header, rows);
}

Run declare_status(CLI::App&) {
    return [](const Context& context) -> Outcome<Exit> {
        const auto status = context.ask("status");
        if (!status) return tl::unexpected<Failure>(status.error());
        if (context.json) {
            print_json(context.output, *status);
        } else {
            print_pairs(context.output, summary(*status, context.output.now));
            print_documents(context.output, *status);
            print_sources(context.output, *status);
        }
        return flag_of(*status, "healthy") ? Exit::done : Exit::not_so;
    };
}

} // namespace

std::vector<Command> status_commands() {
    return {{"status", "Agent state, tier, policy, documents, sessions; exit 1 when unhealthy",
             declare_status,
             "NAME VALUE; and: document ISSUER AUDIENCE LIST SEQ AGE_SECONDS EXPIRES APPROVALS; and: "
             "source NAME STATE ANSWERED_SECONDS LIST_SECONDS NEXT_TRY_SECONDS DOCUMENTS LAST_ERROR"}};
}

} // namespace escort::ctl
