// escortctl freeze, thaw: a session stands still, and goes on, by hand.
#include "escortctl/command.h"
#include "escortctl/words.h"
#include "output/one_line.h"

namespace escort::ctl {

namespace {

using nlohmann::json;

struct HoldOptions {
    std::string id;
    std::string reason;
};

std::shared_ptr<HoldOptions> hold_options(CLI::App& app) {
    auto options = std::make_shared<HoldOptions>();
    app.add_option("ID", options->id, "The session's id, as 'escortctl sessions' shows it")->required();
    app.add_option("--reason", options->reason, "Why; goes into the journal with who did it");
    return options;
}

Outcome<json> ask_hold(const Context& context, const char* request, const HoldOptions& options) {
    json params{{"id", options.id}};
    if (!options.reason.empty()) params["reason"] = options.reason;
    return context.ask(request, std::move(params));
}

void say(const Context& context, const HoldOptions& options, const std::string& what) {
    context.output.out << one_line("Session " + options.id + ": " + what) << '\n';
}

Run declare_freeze(CLI::App& app) {
    const auto options = hold_options(app);
    return [options](const Context& context) -> Outcome<Exit> {
        const auto frozen = ask_hold(context, "freeze", *options);
        if (!frozen) return tl::unexpected<Failure>(frozen.error());
        const std::int64_t moving = number_of(*frozen, "moving");
        if (context.json)
            print_json(context.output, *frozen);
        else
            say(context, *options,
                counted(number_of(*frozen, "processes"), "process", "processes") + " frozen within " +
                    elapsed_text(number_of(*frozen, "elapsed_us")));
        if (moving == 0) return Exit::done;
        return failure(Exit::not_so, "session " + options->id,
                       counted(moving, "process does", "processes do") + " not stand still yet",
                       "It waits for a device or a file server, and stands as soon as that answers.");
    };
}

Run declare_thaw(CLI::App& app) {
    const auto options = hold_options(app);
    return [options](const Context& context) -> Outcome<Exit> {
        const auto thawed = ask_hold(context, "thaw", *options);
        if (!thawed) return tl::unexpected<Failure>(thawed.error());
        const bool still = flag_of(*thawed, "frozen");
        if (context.json)
            print_json(context.output, *thawed);
        else
            say(context, *options,
                still ? "no longer frozen by hand, but still for what its approval needs" : "goes on");
        return Exit::done;
    };
}

} // namespace

std::vector<Command> freeze_commands() {
    return {{"freeze", "Make a session stand still until it is thawed", declare_freeze},
            {"thaw", "Let a session that was frozen by hand go on", declare_thaw}};
}

} // namespace escort::ctl
