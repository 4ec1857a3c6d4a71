// escortctl policy check, policy show.
#include "escortctl/command.h"
#include "escortctl/words.h"
#include "output/one_line.h"
#include "policy/check.h"

#include <algorithm>

namespace escort::ctl {

namespace {

using nlohmann::json;

json as_json(const Diagnostics& diagnostics) {
    json list = json::array();
    for (const Diagnostic& diagnostic : diagnostics)
        list.push_back({{"severity", diagnostic.severity == Severity::error ? "error" : "warning"},
                        {"file", diagnostic.place.file},
                        {"line", diagnostic.place.line},
                        {"column", diagnostic.place.column},
                        {"message", diagnostic.message},
                        {"hint", diagnostic.hint}});
    return {{"valid", !has_errors(diagnostics)}, {"diagnostics", list}};
}

Run declare_check(CLI::App& app) {
    const auto paths = std::make_shared<std::vector<std::string>>();
    app.add_option("PATH", *paths, "Policy files, or folders of them")->required();
    return [paths](const Context& context) -> Outcome<Exit> {
        const Diagnostics diagnostics = check_policies(*paths);
        const bool valid = !has_errors(diagnostics);
        if (context.json) {
            print_json(context.output, as_json(diagnostics));
            return valid ? Exit::done : Exit::not_so;
        }
        // To stdout: the diagnostics are what was asked for.
        for (const Diagnostic& diagnostic : diagnostics)
            context.output.out << one_line(diagnostic.text()) << '\n';
        if (valid && context.output.terminal) context.output.out << "Valid.\n";
        return valid ? Exit::done : Exit::not_so;
    };
}

Run declare_show_policy(CLI::App&) {
    return [](const Context& context) -> Outcome<Exit> {
        const auto policy = context.ask("policy_show");
        if (!policy) return tl::unexpected<Failure>(policy.error());
        if (context.json) {
            print_json(context.output, *policy);
            return Exit::done;
        }
        std::string text = text_of(*policy, "text");
        if (text.ends_with('\n')) text.pop_back();
        for (std::size_t at = 0; at <= text.size();) {
            const std::size_t end = std::min(text.find('\n', at), text.size());
            context.output.out << one_line(std::string_view(text).substr(at, end - at)) << '\n';
            at = end + 1;
        }
        return Exit::done;
    };
}

} // namespace

std::vector<Command> policy_commands() {
    return {{"policy check", "Validate policy files without a daemon: FILE:LINE:COLUMN: error: MESSAGE",
             declare_check},
            {"policy show", "The policy in force, with the file and line that each rule came from",
             declare_show_policy}};
}

} // namespace escort::ctl
