// escortctl kill, reload: what changes the daemon's state.
#include "escortctl/command.h"
#include "escortctl/words.h"
#include "output/one_line.h"

namespace escort::ctl {

namespace {

using nlohmann::json;

struct KillOptions {
    std::string id;
    std::string reason;
};

Run declare_kill(CLI::App& app) {
    const auto options = std::make_shared<KillOptions>();
    app.add_option("ID", options->id, "The session's id")->required();
    app.add_option("--reason", options->reason, "Why; goes into the journal with who did it")->required();
    return [options](const Context& context) -> Outcome<Exit> {
        if (options->reason.empty()) return failure(Exit::usage, "--reason", "is empty");
        const auto killed =
            context.ask("kill", {{"id", options->id}, {"reason", options->reason}}, kUntilDone);
        if (!killed) return tl::unexpected<Failure>(killed.error());
        if (context.json)
            print_json(context.output, *killed);
        else
            context.output.out << one_line("Session " + options->id + ": " +
                                           counted(number_of(*killed, "processes"), "process", "processes") +
                                           " dead within " + elapsed_text(number_of(*killed, "elapsed_us")))
                               << '\n';
        return Exit::done;
    };
}

// Whom the rules to come would end, freeze or govern no more.
void print_dry_run(const Context& context, const json& result) {
    std::vector<std::vector<Cell>> rows;
    for (const auto& [list, what] :
         {std::pair{"would_end", "end"}, {"would_freeze", "freeze"}, {"would_go", "go"}})
        for (const json& fate : list_of(result, list))
            rows.push_back({{what},
                            {text_of(fate, "id")},
                            {text_of(fate, "account")},
                            {text_of(fate, "engineer")},
                            {text_of(fate, "reason")},
                            {text_of(fate, "processes")}});
    if (rows.empty() && context.output.terminal) {
        context.output.out << "No live session would be touched. Nothing was changed.\n";
        return;
    }
    print_table(context.output, {"WOULD", "ID", "ACCOUNT", "ENGINEER", "REASON", "PROCS"}, rows);
}

void print_reloaded(const Context& context, const json& result) {
    const std::int64_t ended = number_of(result, "ended");
    context.output.out << "Policy " << one_line(text_of(object_of(result, "policy"), "sha256").substr(0, 12))
                       << " is in force";
    if (ended != 0) context.output.out << "; " << counted(ended, "session", "sessions") << " ended";
    context.output.out << '\n';
}

Run declare_reload(CLI::App& app) {
    const auto dry_run = std::make_shared<bool>(false);
    app.add_flag("--dry-run", *dry_run, "Only say whose session would end, freeze or be governed no more");
    return [dry_run](const Context& context) -> Outcome<Exit> {
        json params = json::object();
        if (*dry_run) params["dry_run"] = true;
        const auto result = context.ask("reload", std::move(params), kUntilDone);
        if (!result) return tl::unexpected<Failure>(result.error());
        const bool accepted = flag_of(*result, "accepted");
        if (context.json) {
            print_json(context.output, *result);
            return accepted ? Exit::done : Exit::not_so;
        }
        for (const json& diagnostic : list_of(*result, "diagnostics"))
            if (diagnostic.is_string()) context.output.err << one_line(diagnostic.get<std::string>()) << '\n';
        if (!accepted)
            return failure(Exit::not_so, "reload",
                           *dry_run ? "the policies or keys would be refused; nothing would change"
                                    : "the policies or keys were refused; nothing changed",
                           "Correct what is named above, then reload again.");
        if (*dry_run)
            print_dry_run(context, *result);
        else
            print_reloaded(context, *result);
        return Exit::done;
    };
}

} // namespace

std::vector<Command> act_commands() {
    return {{"kill", "End a session: all its processes", declare_kill},
            {"reload", "Read policies and keys again; exit 1 when they are refused", declare_reload,
             "with --dry-run: end|freeze|go ID ACCOUNT ENGINEER REASON PROCESSES"}};
}

} // namespace escort::ctl
