// One peer's connection to the control socket: reads a line, has it answered, writes the answer, reads on.
// One request at a time; while it is being answered nothing more is read.
#pragma once

#include "base/fd.h"
#include "control/peer.h"
#include "control/server.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <systemd/sd-event.h>

namespace escort::control {

class Connection : public std::enable_shared_from_this<Connection> {
  public:
    Connection(Server& server, Fd socket, Peer peer)
        : server_(server), socket_(std::move(socket)), peer_(std::move(peer)) {}
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() = default;

    [[nodiscard]] Status start(sd_event* loop);
    [[nodiscard]] const Peer& peer() const { return peer_; }
    [[nodiscard]] std::size_t buffered() const { return out_.size(); }

  private:
    enum class State { reading, waiting, writing };

    void on_ready(std::uint32_t events);
    void read_some();
    void serve();
    void refuse(const std::string& why);
    void answer(std::string line);
    void write_some();
    void close();
    void enter(State state);
    void set_timer(std::chrono::milliseconds time);
    static int on_io(sd_event_source* source, int fd, std::uint32_t events, void* self);
    static int on_time(sd_event_source* source, std::uint64_t when, void* self);

    struct Unref {
        void operator()(sd_event_source* source) const { sd_event_source_disable_unref(source); }
    };

    Server& server_;
    Fd socket_;
    Peer peer_;
    State state_ = State::reading;
    std::string in_;
    std::string out_;
    std::size_t out_at_ = 0; // of out_, what is written already
    bool last_ = false;      // close when out_ is written
    std::unique_ptr<sd_event_source, Unref> io_;
    std::unique_ptr<sd_event_source, Unref> timer_;
};

} // namespace escort::control
