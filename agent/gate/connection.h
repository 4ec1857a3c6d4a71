// One login's connection to the gate socket: takes its one message, has it answered, sends the answer, ends.
#pragma once

#include "gate/server.h"

#include <memory>

namespace escort::gate {

class GateConnection : public std::enable_shared_from_this<GateConnection> {
  public:
    GateConnection(GateServer& server, Fd socket) : server_(&server), socket_(std::move(socket)) {}
    GateConnection(const GateConnection&) = delete;
    GateConnection& operator=(const GateConnection&) = delete;
    ~GateConnection() = default;

    [[nodiscard]] Status start(sd_event* loop);
    void orphan(); // the server goes, replies may stay

  private:
    void on_ready(std::uint32_t events);
    void take_request();
    void answer(const GateAnswer* with);
    [[nodiscard]] bool peer_waits() const;
    void reject();
    void close();
    static int on_io(sd_event_source* source, int fd, std::uint32_t events, void* self);
    static int on_time(sd_event_source* source, std::uint64_t when, void* self);

    struct Unref {
        void operator()(sd_event_source* source) const { sd_event_source_disable_unref(source); }
    };

    GateServer* server_;
    Fd socket_;
    bool asked_ = false;
    std::unique_ptr<sd_event_source, Unref> io_;
    std::unique_ptr<sd_event_source, Unref> timer_;
};

} // namespace escort::gate
