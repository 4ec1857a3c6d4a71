// The right to answer one login, once, now or later.
#pragma once

#include "gate/protocol.h"

#include <functional>
#include <memory>
#include <string>

namespace escort::gate {

// Copies share the one answer: the first counts, later ones do nothing. When the last copy goes without an
// answer the connection is closed without one, and the module does what it does when nobody answers.
class GateReply {
  public:
    // `send` is called at most once; `waits` says whether the module is still there.
    GateReply(std::function<void(const GateAnswer*)> send, std::function<bool()> waits)
        : state_(std::make_shared<State>(std::move(send), std::move(waits))) {}

    // `runtime_max_s`: as in GateAnswer.
    void admit(std::string reference, std::uint32_t runtime_max_s = 0) const {
        answer({Decision::admit, std::move(reference), {}, runtime_max_s});
    }
    void ignore() const { answer({Decision::ignore, {}, {}}); }
    // `message`: one line for the person; what doesn't fit (protocol.h) is cut, what can't be printed
    // replaced.
    void refuse(std::string reference, const std::string& message) const {
        answer({Decision::refuse, std::move(reference), plain_line(message, kTextBytes)});
    }
    // Whether anybody waits for it still. A login whose module has given up is refused by the module: it
    // must not be labelled any more.
    [[nodiscard]] bool waiting() const { return state_->send && state_->waits(); }

  private:
    struct State {
        std::function<void(const GateAnswer*)> send;
        std::function<bool()> waits;

        State(std::function<void(const GateAnswer*)> how, std::function<bool()> who)
            : send(std::move(how)), waits(std::move(who)) {}
        State(const State&) = delete;
        State& operator=(const State&) = delete;
        ~State() { answer(nullptr); }

        void answer(const GateAnswer* with) {
            if (!send) return;
            const auto once = std::move(send);
            send = nullptr;
            once(with);
        }
    };

    void answer(GateAnswer with) const {
        with.reference = plain_line(with.reference, kReferenceBytes);
        state_->answer(&with);
    }

    std::shared_ptr<State> state_;
};

} // namespace escort::gate
