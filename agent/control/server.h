// The control socket's daemon side: who may ask what, over the daemon's own loop.
//
// Nothing here blocks, and nobody can make it hold much: connections, line lengths, buffered answers and
// times are bounded. Requests come from a table of {name, permission, handler}; what isn't listed is refused.
#pragma once

#include "base/fd.h"
#include "control/peer.h"
#include "control/protocol.h"
#include "control/reply.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <systemd/sd-event.h>
#include <vector>

namespace escort::control {

enum class Permission {
    read,    // root and the members of the settings' group
    operate, // root
};

// Must answer through `reply`, now or later.
using Handler = std::function<void(const nlohmann::json& params, const Peer& peer, const Reply& reply)>;

struct Request {
    std::string name;
    Permission permission = Permission::operate;
    Handler handler;
};

struct ServerSettings {
    std::string path;           // of the socket; an old one there is replaced
    std::optional<gid_t> group; // may read; absent: root alone
    std::size_t connections = 32;
    std::size_t connections_per_user = 4;           // of a uid that isn't root
    std::size_t answer_bytes = kAnswerBytes;        // of one answer; a longer one is replaced by an error
    std::size_t buffered = std::size_t{64} << 20;   // bytes of answers not taken yet, all together
    std::chrono::milliseconds request_time{10'000}; // for a whole line to come
    std::chrono::milliseconds answer_time{10'000};  // for each piece of the answer to be taken
    // Root may act, but not every process of root: why this one may not. Absent: all may.
    std::function<std::optional<Error>(const Peer&, const std::string& request)> objection;
};

class Connection;

class Server {
  public:
    // Binds and listens. The socket's mode is 0660 and its group the settings' one (0600 without), so that
    // others can't even connect; permissions are checked by the peer's credentials all the same.
    [[nodiscard]] static Result<std::unique_ptr<Server>> listen(sd_event* loop, ServerSettings settings,
                                                                std::vector<Request> requests);
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server();

    [[nodiscard]] std::size_t connections() const { return connections_.size(); }

  private:
    friend class Connection;

    Server(sd_event* loop, ServerSettings settings, std::vector<Request> requests);

    [[nodiscard]] Status open();
    void accept_one();
    [[nodiscard]] std::optional<Failure> judge(const Peer& peer) const;
    [[nodiscard]] bool may(const Peer& peer, Permission permission) const;
    void dispatch(const Call& call, const Peer& peer, const Reply& reply);
    [[nodiscard]] std::size_t buffered() const;
    void forget(Connection* connection);
    static int on_connect(sd_event_source* source, int fd, std::uint32_t events, void* self);

    struct Unref {
        void operator()(sd_event_source* source) const { sd_event_source_disable_unref(source); }
    };

    sd_event* loop_;
    ServerSettings settings_;
    std::map<std::string, Request> requests_;
    Fd socket_;
    std::unique_ptr<sd_event_source, Unref> source_;
    std::map<Connection*, std::shared_ptr<Connection>> connections_;
};

// The gid of a group by its name; nothing where there is none. Asks NSS: at the start only.
[[nodiscard]] std::optional<gid_t> group_id(const std::string& name);

} // namespace escort::control
