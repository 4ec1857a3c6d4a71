// Names of contract §2 that later versions will fill: known, and refused.
#include "escortctl/command.h"

namespace escort::ctl {

std::vector<Command> reserved_commands() {
    std::vector<Command> all;
    for (const auto& [name, help] : std::vector<std::pair<std::string, std::string>>{
             {"events", "The journal's entries in a SIEM's format"},
             {"trail verify", "Check the trail"},
             {"report", "A report of sessions"},
             {"replay", "Play back a session"},
             {"metrics", "Counters for monitoring"},
             {"watch", "Live view"},
         }) {
        const auto declare = [name = name](CLI::App& app) -> Run {
            app.allow_extras();
            app.fallthrough(false); // whatever follows is its own
            return [name](const Context&) -> Outcome<Exit> {
                return failure(Exit::usage, name, "is not supported yet");
            };
        };
        all.push_back({name, help + " (not supported yet)", declare});
    }
    return all;
}

} // namespace escort::ctl
