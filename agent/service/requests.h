// The table of the control socket's requests: name, permission, handler (docs/control-protocol.md).
#pragma once

#include "control/server.h"
#include "service/agent.h"

#include <map>
#include <memory>
#include <string>
#include <systemd/sd-event.h>
#include <vector>

namespace escort {

// Answers to `document_result` that wait: for the document to be judged, then for the sessions that it ended.
class DocumentWaiters {
  public:
    // Both must outlive this.
    DocumentWaiters(Agent& agent, sd_event* loop) : agent_(agent), loop_(loop) {}

    // Answers within 5 s, or when the sessions that the document ended are dead.
    void wait(const std::string& sha256, const control::Reply& reply);
    // A document was judged, and what it ended is ending.
    void judged(const Outcome& outcome);

    [[nodiscard]] sd_event* loop() const { return loop_; }

  private:
    struct Unref {
        void operator()(sd_event_source* source) const { sd_event_source_disable_unref(source); }
    };
    struct Waiting {
        DocumentWaiters* owner = nullptr;
        std::string sha256;
        std::vector<control::Reply> replies;
        std::unique_ptr<sd_event_source, Unref> timer;
    };
    static int on_timeout(sd_event_source* source, std::uint64_t now, void* waiting);
    void answer(const Outcome& outcome, const control::Reply& reply);

    Agent& agent_;
    sd_event* loop_;
    std::map<std::string, Waiting> waiting_; // by SHA-256
};

// `agent` and `waiters` must outlive the server that gets these.
[[nodiscard]] std::vector<control::Request> requests(Agent& agent, DocumentWaiters& waiters);

} // namespace escort
