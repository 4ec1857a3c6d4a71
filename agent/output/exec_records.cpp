// The records of what sessions run.
#include "output/records.h"
#include "output/session_fields.h"

#include <algorithm>
#include <fmt/format.h>

namespace escort {

namespace {

constexpr const char* kCut = "...";

std::string cut_before(const std::string& text, bool cut) {
    return cut ? kCut + text : text;
}

// As a shell would read it back: in quotes where it is more than plain characters.
std::string quoted(const std::string& argument) {
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("-_./=:,@%+").find(c) != std::string_view::npos;
    };
    if (!argument.empty() && std::all_of(argument.begin(), argument.end(), plain)) return argument;
    std::string text = "'";
    for (const char c : argument)
        text += c == '\'' ? "'\\''" : std::string(1, c);
    return text + "'";
}

std::string arguments_text(const ProgramRecord& program) {
    std::string text;
    for (const auto& argument : program.arguments)
        text += (text.empty() ? "" : " ") + quoted(argument);
    if (program.arguments_cut) text += text.empty() ? kCut : std::string(" ") + kCut;
    return text;
}

// "7f3a2c1e-42, azsupport (engineer eng-42)".
std::string whose(const SessionRecord& session) {
    std::string text = session.id;
    if (!session.account.empty()) text += ", " + session.account;
    if (!session.engineer.empty()) text += " (engineer " + session.engineer + ")";
    return text;
}

} // namespace

Record session_exec(const SessionRecord& session, const ProgramRecord& program) {
    const std::string path = cut_before(program.path, program.path_cut);
    const std::string script = program.script + (program.script_cut ? kCut : "");
    const std::string arguments = arguments_text(program);
    std::string text = fmt::format("Session {} ran {}", whose(session), path.empty() ? "a program" : path);
    if (!script.empty()) text += " for " + script;
    if (!arguments.empty()) text += ": " + arguments;
    text += fmt::format("; as uid {}", program.euid);
    if (program.uid != program.euid) text += fmt::format(" (real uid {})", program.uid);
    if (program.rose) text += ", root by this";
    if (program.nameless) text += "; no name leads to that file any more";
    Record record(Event::session_exec, text + ".");
    // Worth a look each: rises are few.
    if (program.rose || program.nameless) record.priority = Priority::notice;
    set_session(record, session);
    record.set(Field::uid, std::to_string(program.uid));
    record.set(Field::euid, std::to_string(program.euid));
    record.set(Field::exe, path);
    record.set(Field::cwd, cut_before(program.cwd, program.cwd_cut));
    record.set(Field::script, script);
    record.set(Field::arguments, arguments);
    if (program.rose) record.set(Field::rose, "1");
    if (program.pid > 0) record.set(Field::object_pid, std::to_string(program.pid));
    if (program.parent > 0) record.set(Field::parent, std::to_string(program.parent));
    if (program.at > 0) record.set(Field::at, std::to_string(program.at));
    return record;
}

Record execs_dropped(const SessionRecord& session, std::uint64_t count) {
    Record record(Event::events_dropped,
                  fmt::format("Session {} started {} more program{} than are recorded a minute "
                              "(record.exec_per_minute of its policy).",
                              whose(session), count, count == 1 ? "" : "s"));
    set_session(record, session);
    record.set(Field::dropped, std::to_string(count));
    return record;
}

} // namespace escort
