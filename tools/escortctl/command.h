// A subcommand of escortctl: a row of the table, and what it may use while it runs.
#pragma once

#include "control/client.h"
#include "control/protocol.h"
#include "escortctl/print.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace escort::ctl {

using control::Exit;
using control::failure;
using control::Failure;
using control::not_so;
using control::Outcome;

// What the settings file and the options say about where things are.
struct Places {
    std::string socket;
    std::string spool;
    std::string trust;
    std::string breakglass;
    std::string pins;
    std::string run;
};

class Context {
  public:
    Context(Output to, std::string config, std::string socket, bool as_json)
        : output(to), json(as_json), config_(std::move(config)), socket_(std::move(socket)) {}

    const Output output;
    const bool json;

    // Reads the settings file; one that isn't there means the defaults.
    [[nodiscard]] Outcome<Places> places() const;

    // Asks the daemon, by a connection of its own.
    [[nodiscard]] Outcome<nlohmann::json>
    ask(const std::string& request, nlohmann::json params = nlohmann::json::object(),
        std::chrono::milliseconds time = std::chrono::seconds(30)) const;

  private:
    std::string config_;
    std::string socket_; // --socket; empty: by the settings
};

// For what the daemon answers when all is done: a fork bomb takes its time to die, name services theirs to
// answer.
constexpr std::chrono::seconds kUntilDone{60};

// Runs with the options that its declaration bound.
using Run = std::function<Outcome<Exit>(const Context&)>;

struct Command {
    std::string name; // "status", or "policy check": a word of a group
    std::string help;
    // Adds options to the subcommand and returns what runs it. The options' values belong to the Run.
    std::function<Run(CLI::App&)> declare;
    std::string columns{}; // of the plain output, for --help
};

[[nodiscard]] std::vector<Command> commands();

// By concern, gathered by commands().
[[nodiscard]] std::vector<Command> status_commands();
[[nodiscard]] std::vector<Command> doctor_commands();
[[nodiscard]] std::vector<Command> session_commands();
[[nodiscard]] std::vector<Command> approval_commands();
[[nodiscard]] std::vector<Command> explain_commands();
[[nodiscard]] std::vector<Command> act_commands();
[[nodiscard]] std::vector<Command> freeze_commands();
[[nodiscard]] std::vector<Command> deny_commands();
[[nodiscard]] std::vector<Command> policy_commands();
[[nodiscard]] std::vector<Command> document_commands();
[[nodiscard]] std::vector<Command> keygen_commands();
[[nodiscard]] std::vector<Command> broker_commands();
[[nodiscard]] std::vector<Command> reserved_commands();

// The whole program without its process: parses `arguments` (without the program's name), runs, prints, and
// returns the exit code of contract §1.
[[nodiscard]] int run(const std::vector<std::string>& arguments, const Output& output);

} // namespace escort::ctl
