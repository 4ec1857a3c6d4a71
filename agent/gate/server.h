// The gate socket's daemon side: takes a login's question, proves which process asks, has it answered.
//
// One question a connection; what a connection knows dies with it. Nothing here blocks, and nobody can make
// it hold much: connections, message lengths and times are bounded. It judges nothing; the handler does.
#pragma once

#include "base/fd.h"
#include "gate/login.h"
#include "gate/reply.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <systemd/sd-event.h>

namespace escort::gate {

// Must answer through `reply`, now or later; the module waits no longer than the principals file says.
using Handler = std::function<void(const GateRequest& request, GateLogin login, GateReply reply)>;

struct GateSettings {
    std::string path; // of the socket, mode 0600; an old one there is replaced
    std::size_t connections = 64;
    std::chrono::milliseconds request_time{2'000}; // for the question to come
    std::chrono::milliseconds answer_time{60'000}; // for the handler; then the connection is closed
};

class GateConnection;

class GateServer {
  public:
    [[nodiscard]] static Result<std::unique_ptr<GateServer>> listen(sd_event* loop, GateSettings settings,
                                                                    Handler handler);
    GateServer(const GateServer&) = delete;
    GateServer& operator=(const GateServer&) = delete;
    ~GateServer();

    [[nodiscard]] std::size_t connections() const { return connections_.size(); }
    // Questions that were none: malformed, not root's, with another's pidfd; and connections over the limit.
    [[nodiscard]] std::uint64_t rejected() const { return rejected_; }

  private:
    friend class GateConnection;

    GateServer(sd_event* loop, GateSettings settings, Handler handler);

    [[nodiscard]] Status open();
    void accept_one();
    void forget(GateConnection* connection);
    static int on_connect(sd_event_source* source, int fd, std::uint32_t events, void* self);

    struct Unref {
        void operator()(sd_event_source* source) const { sd_event_source_disable_unref(source); }
    };

    sd_event* loop_;
    GateSettings settings_;
    Handler handler_;
    Fd socket_;
    std::unique_ptr<sd_event_source, Unref> source_;
    std::map<GateConnection*, std::shared_ptr<GateConnection>> connections_;
    std::uint64_t rejected_ = 0;
};

} // namespace escort::gate
