// escortctl explain: the verdict that a session would get, rule by rule, without opening it.
#include "escortctl/command.h"
#include "escortctl/words.h"

namespace escort::ctl {

namespace {

using nlohmann::json;

struct Question {
    std::string account;
    std::string from;
    std::string key;
    std::string key_id;
    std::string at;
    std::string entry;
};

void print_answer(const Output& output, const json& answer) {
    std::vector<std::pair<std::string, Cell>> pairs{{"verdict", {text_of(answer, "verdict")}},
                                                    {"reason", {text_of(answer, "reason")}},
                                                    {"approval", {text_of(answer, "approval")}}};
    if (list_of(answer, "reasons").size() > 1) pairs.push_back({"all reasons", {text_of(answer, "reasons")}});
    print_pairs(output, pairs);
    std::vector<std::vector<Cell>> rows;
    for (const json& rule : list_of(answer, "rules"))
        rows.push_back({{text_of(rule, "outcome")},
                        {text_of(rule, "rule")},
                        {text_of(rule, "detail")},
                        {text_of(rule, "from")}});
    if (rows.empty()) return;
    if (output.terminal) output.out << '\n';
    print_table(output, {"OUTCOME", "RULE", "DETAIL", "FROM"}, rows);
}

Outcome<json> params_of(const Question& question) {
    json params{{"account", question.account}};
    const auto put = [&](const char* name, const std::string& value) {
        if (!value.empty()) params[name] = value;
    };
    put("from", question.from);
    put("key", question.key);
    put("key_id", question.key_id);
    put("entry", question.entry);
    if (question.at.empty()) return params;
    const auto at = parse_time(question.at);
    if (!at)
        return failure(Exit::usage, "--at", "is no time: " + question.at,
                       "Write it like 2026-01-01T09:30:00Z, or in seconds since the epoch.");
    params["at"] = *at;
    return params;
}

Run declare_explain(CLI::App& app) {
    const auto question = std::make_shared<Question>();
    app.add_option("ACCOUNT", question->account, "The support account")->required();
    app.add_option("--from", question->from, "The session's source address");
    app.add_option("--key", question->key, "Fingerprint of its SSH key");
    app.add_option("--key-id", question->key_id, "Key id of its SSH certificate");
    app.add_option("--at", question->at, "At that time (RFC 3339 or epoch) instead of now");
    app.add_option("--entry", question->entry, "The way in: sshd (default), su, sudo, login, cron ...");
    return [question](const Context& context) -> Outcome<Exit> {
        const auto params = params_of(*question);
        if (!params) return tl::unexpected<Failure>(params.error());
        const auto answer = context.ask("explain", *params);
        if (!answer) return tl::unexpected<Failure>(answer.error());
        if (context.json)
            print_json(context.output, *answer);
        else
            print_answer(context.output, *answer);
        return text_of(*answer, "verdict") == "denied" ? Exit::not_so : Exit::done;
    };
}

} // namespace

std::vector<Command> explain_commands() {
    return {{"explain", "The verdict a session would get, rule by rule; exit 1 when denied", declare_explain,
             "NAME VALUE; then OUTCOME RULE DETAIL FROM"}};
}

} // namespace escort::ctl
