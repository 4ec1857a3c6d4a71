// escortctl deny, undeny: doors that this host's admin shuts, whatever the broker says.
#include "escortctl/command.h"
#include "escortctl/words.h"
#include "output/one_line.h"

namespace escort::ctl {

namespace {

struct DenyOptions {
    std::string kind;
    std::string id;
};

Outcome<Exit> set_denial(const Context& context, const DenyOptions& options, bool shut) {
    const bool known = options.kind == "approval" || options.kind == "engineer" || options.kind == "account";
    if (!known)
        return failure(Exit::usage, options.kind, "is not one of approval, engineer, account",
                       "Write it like: escortctl deny engineer eng-42");
    const auto done =
        context.ask(shut ? "deny" : "undeny", {{"kind", options.kind}, {"id", options.id}}, kUntilDone);
    if (!done) return tl::unexpected<Failure>(done.error());
    if (context.json) {
        print_json(context.output, *done);
        return Exit::done;
    }
    const std::string what = options.kind + " " + options.id;
    const std::int64_t ended = number_of(*done, "ended");
    context.output.out << one_line((shut ? "Denied on this host: " : "No longer denied: ") + what);
    if (ended != 0) context.output.out << "; " << counted(ended, "session", "sessions") << " ended";
    context.output.out << '\n';
    return Exit::done;
}

Run declare(CLI::App& app, bool shut) {
    const auto options = std::make_shared<DenyOptions>();
    app.add_option("KIND", options->kind, "approval, engineer or account")->required();
    app.add_option("ID", options->id, "The approval's or engineer's id, or the account's name")->required();
    return [options, shut](const Context& context) { return set_denial(context, *options, shut); };
}

} // namespace

std::vector<Command> deny_commands() {
    return {{"deny", "Shut a door on this host: an approval, an engineer or an account; its sessions end",
             [](CLI::App& app) { return declare(app, true); }},
            {"undeny", "Open it again; the broker's approvals count once more",
             [](CLI::App& app) { return declare(app, false); }}};
}

} // namespace escort::ctl
