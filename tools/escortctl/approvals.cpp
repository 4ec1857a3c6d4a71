// escortctl approvals: what is in force, what waits, and why any of it can't be used.
#include "escortctl/command.h"

namespace escort::ctl {

namespace {

using nlohmann::json;

void print_approvals(const Output& output, const json& approvals) {
    std::vector<std::vector<Cell>> rows;
    for (const json& approval : approvals) {
        const std::string reason = text_of(approval, "reason");
        const bool usable = flag_of(approval, "usable");
        rows.push_back({{text_of(approval, "id")},
                        {text_of(approval, "account")},
                        {text_of(approval, "engineer")},
                        {text_of(approval, "ticket")},
                        time_cell(number_of(approval, "not_before")),
                        time_cell(number_of(approval, "expires")),
                        {usable ? "yes" : "no: " + reason, usable ? "yes" : "no"},
                        {text_of(approval, "issuer"), reason},
                        {"", text_of(approval, "issuer")}});
        if (output.terminal) rows.back().pop_back();
    }
    if (rows.empty() && output.terminal) {
        output.out << "No approvals.\n";
        return;
    }
    std::vector<std::string> header{"ID",   "ACCOUNT", "ENGINEER", "TICKET",
                                    "FROM", "UNTIL",   "USABLE",   "ISSUER"};
    if (!output.terminal) header.emplace_back();
    print_table(output, header, rows);
}

Run declare_approvals(CLI::App&) {
    return [](const Context& context) -> Outcome<Exit> {
        const auto approvals = context.ask("approvals");
        if (!approvals) return tl::unexpected<Failure>(approvals.error());
        if (context.json)
            print_json(context.output, *approvals);
        else
            print_approvals(context.output, *approvals);
        return Exit::done;
    };
}

} // namespace

std::vector<Command> approval_commands() {
    return {{"approvals", "Approvals in force and waiting, and why any of them can't be used",
             declare_approvals, "ID ACCOUNT ENGINEER TICKET NOT_BEFORE EXPIRES USABLE REASON ISSUER"}};
}

} // namespace escort::ctl
