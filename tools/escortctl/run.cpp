// From words on a command line to a subcommand that runs.
#include "escortctl/command.h"
#include "output/one_line.h"
#include "settings.h"

#include <map>

namespace escort::ctl {

namespace {

const std::map<std::string, std::string>& groups() {
    static const std::map<std::string, std::string> names{
        {"policy", "Policy files, and the policy in force"},
        {"document", "Signed documents"},
        {"trail", "The journal's trail"},
    };
    return names;
}

// What the options of one call are bound to.
struct Options {
    std::string config = kSettingsFile;
    std::string socket;
    bool json = false;
    Run chosen;
};

using Groups = std::map<std::string, CLI::App*>;

// Where the subcommand belongs: the program itself, or the group that its first word names.
CLI::App& parent_of(CLI::App& app, const std::string& name, Groups& made) {
    const std::size_t space = name.find(' ');
    if (space == std::string::npos) return app;
    CLI::App*& group = made[name.substr(0, space)];
    if (group == nullptr) {
        group = app.add_subcommand(name.substr(0, space), groups().at(name.substr(0, space)));
        group->require_subcommand(1);
        group->fallthrough();
    }
    return *group;
}

void add(CLI::App& app, const Command& command, Groups& made, Options& options) {
    const std::string word = command.name.substr(command.name.find(' ') + 1);
    CLI::App* sub = parent_of(app, command.name, made).add_subcommand(word, command.help);
    sub->fallthrough(); // --config and --socket may stand behind the subcommand
    Run run = command.declare(*sub);
    sub->add_flag("--json", options.json, "JSON with stable keys");
    if (!command.columns.empty())
        sub->footer("Not on a terminal: a line each, separated by tabs:\n  " + command.columns);
    sub->callback([&options, run = std::move(run)] { options.chosen = run; });
}

void print_error(const Output& output, const Error& error) {
    output.err << "escortctl: " << one_line(error.text()) << '\n';
    if (!error.hint.empty()) output.err << one_line(error.hint) << '\n';
}

// CLI11's own words for --help, --version and what it could not parse.
int finish_parsing(const CLI::App& app, const CLI::ParseError& error, const Output& output) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
        (void)app.exit(error, output.out, output.err);
        return static_cast<int>(Exit::done);
    }
    print_error(output, {"usage", error.what(), "Run 'escortctl --help'."});
    return static_cast<int>(Exit::usage);
}

} // namespace

std::vector<Command> commands() {
    std::vector<Command> all;
    for (const auto& part :
         {status_commands(), doctor_commands(), session_commands(), approval_commands(), explain_commands(),
          act_commands(), freeze_commands(), deny_commands(), policy_commands(), document_commands(),
          keygen_commands(), broker_commands(), reserved_commands()})
        all.insert(all.end(), part.begin(), part.end());
    return all;
}

int run(const std::vector<std::string>& arguments, const Output& output) {
    Options options;
    CLI::App app(
        "Ask and command escortd, which lets a support session live only while an approval is in force.",
        "escortctl");
    app.require_subcommand(1);
    app.set_version_flag("--version", "escortctl " ESCORT_VERSION);
    app.add_option("--config", options.config, "Settings file")->capture_default_str();
    app.add_option("--socket", options.socket, "The daemon's control socket (default: by the settings)");
    app.footer(
        "Exit codes: 0 done; 1 the thing asked for is not so; 2 wrong usage; 3 the daemon can't be reached; "
        "4 not permitted.");
    Groups made;
    for (const Command& command : commands())
        add(app, command, made, options);

    try {
        std::vector<std::string> reversed(arguments.rbegin(), arguments.rend()); // as CLI11 wants them
        app.parse(std::move(reversed));
    } catch (const CLI::ParseError& error) {
        return finish_parsing(app, error, output);
    }

    const Context context(output, options.config, options.socket, options.json);
    const auto result = options.chosen(context);
    output.out.flush();
    if (result) return static_cast<int>(*result);
    print_error(output, result.error().error);
    return static_cast<int>(result.error().code);
}

} // namespace escort::ctl
