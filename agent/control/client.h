// The control socket's other side, for escortctl: blocking, with a time limit for each call.
#pragma once

#include "base/fd.h"
#include "control/protocol.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

namespace escort::control {

class Client {
  public:
    // Exit::unreachable where nobody listens, Exit::not_permitted where the socket's mode forbids it.
    [[nodiscard]] static Outcome<Client> connect(const std::string& path);

    // The result; or why there is none, with the exit code. `time` is for the whole of it.
    [[nodiscard]] Outcome<nlohmann::json> call(const std::string& name, nlohmann::json params,
                                               std::chrono::milliseconds time);

  private:
    using Clock = std::chrono::steady_clock;

    Client(std::string path, Fd socket) : path_(std::move(path)), socket_(std::move(socket)) {}

    [[nodiscard]] Outcome<bool> wait(short events, Clock::time_point until) const;
    [[nodiscard]] Outcome<bool> send(const std::string& line, Clock::time_point until) const;
    [[nodiscard]] Outcome<std::string> receive(Clock::time_point until) const;

    std::string path_;
    Fd socket_;
};

} // namespace escort::control
