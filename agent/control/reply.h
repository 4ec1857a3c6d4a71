// The right to answer one request, once, now or later.
#pragma once

#include "control/protocol.h"

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>

namespace escort::control {

// Copies share the one answer: the first counts, later ones do nothing. When the last copy goes without an
// answer, the peer is told that there was none, so nobody waits for ever. A peer that has gone is harmless.
class Reply {
  public:
    // `send` is called exactly once, with an answer's line.
    explicit Reply(std::function<void(std::string line)> send)
        : state_(std::make_shared<State>(std::move(send))) {}

    void ok(const nlohmann::json& result) const { state_->answer(encode_result(result)); }
    void fail(Exit code, Error error) const { state_->answer(encode_failure({code, std::move(error)})); }

  private:
    struct State {
        std::function<void(std::string)> send;

        explicit State(std::function<void(std::string)> how) : send(std::move(how)) {}
        State(const State&) = delete;
        State& operator=(const State&) = delete;
        ~State() { answer(encode_failure({Exit::not_so, {"escortd", "gave no answer to this request"}})); }

        void answer(std::string line) {
            if (!send) return;
            const auto once = std::move(send);
            send = nullptr;
            once(std::move(line));
        }
    };

    std::shared_ptr<State> state_;
};

} // namespace escort::control
