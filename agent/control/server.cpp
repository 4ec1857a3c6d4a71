#include "control/server.h"

#include "base/unix_socket.h"
#include "control/connection.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <grp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace escort::control {

namespace {

// Of the connections, what only root may take: it must get in whatever the readers do.
constexpr std::size_t kReservedForRoot = 4;
// Accepts a second. It also bounds what a process that is out of descriptors spends on trying.
constexpr unsigned kAcceptsPerSecond = 200;

} // namespace

std::optional<gid_t> group_id(const std::string& name) {
    std::array<char, 65536> buffer{}; // a group may have thousands of members
    group entry{};
    group* found = nullptr;
    if (::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
        return std::nullopt;
    return entry.gr_gid;
}

Server::Server(sd_event* loop, ServerSettings settings, std::vector<Request> requests)
    : loop_(loop), settings_(std::move(settings)) {
    for (auto& request : requests)
        requests_.emplace(request.name, request);
}

Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::listen(sd_event* loop, ServerSettings settings,
                                               std::vector<Request> requests) {
    std::unique_ptr<Server> server(new Server(loop, std::move(settings), std::move(requests)));
    if (auto opened = server->open(); !opened) return tl::unexpected<Error>(opened.error());
    return server;
}

Status Server::open() {
    const std::string& path = settings_.path;
    auto socket = listen_unix(path, SOCK_STREAM, settings_.group);
    if (!socket) return tl::unexpected<Error>(socket.error());
    socket_ = std::move(*socket);

    sd_event_source* source = nullptr;
    int error = sd_event_add_io(loop_, &source, socket_.get(), EPOLLIN, on_connect, this);
    if (error < 0) return fail_errno(path, "watch", -error);
    source_.reset(source);
    error = sd_event_source_set_ratelimit(source_.get(), 1'000'000, kAcceptsPerSecond);
    if (error < 0) return fail_errno(path, "rate limit", -error);
    return {};
}

int Server::on_connect(sd_event_source*, int, std::uint32_t, void* self) {
    static_cast<Server*>(self)->accept_one();
    return 0;
}

void Server::accept_one() {
    Fd connection(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!connection.valid()) return;
    auto peer = peer_of(connection.get());
    if (!peer) return;
    if (const auto refused = judge(*peer)) {
        // One line into an empty socket buffer; if even that fails, the peer sees the end alone.
        const std::string line = encode_failure(*refused);
        (void)!::send(connection.get(), line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        return;
    }
    auto made = std::make_shared<Connection>(*this, std::move(connection), std::move(*peer));
    connections_.emplace(made.get(), made);
    if (!made->start(loop_)) forget(made.get());
}

std::optional<Failure> Server::judge(const Peer& peer) const {
    if (!may(peer, Permission::read))
        return Failure{
            Exit::not_permitted,
            {"escortd", "this user may not ask it anything", "Use root, or a member of its group."}};
    const std::size_t room = peer.is_root()
                                 ? settings_.connections
                                 : settings_.connections - std::min(settings_.connections, kReservedForRoot);
    const auto same = std::count_if(connections_.begin(), connections_.end(),
                                    [&](const auto& other) { return other.second->peer().uid == peer.uid; });
    const bool too_many_of_one =
        !peer.is_root() && static_cast<std::size_t>(same) >= settings_.connections_per_user;
    if (connections_.size() < room && !too_many_of_one) return std::nullopt;
    return Failure{Exit::not_so, {"escortd", "too many connections are open", "Try again."}};
}

bool Server::may(const Peer& peer, Permission permission) const {
    if (peer.is_root()) return true;
    return permission == Permission::read && settings_.group && peer.in_group(*settings_.group);
}

void Server::dispatch(const Call& call, const Peer& peer, const Reply& reply) {
    const auto request = requests_.find(call.name);
    if (request == requests_.end()) return reply.fail(Exit::usage, {"request", "is not known: " + call.name});
    if (!may(peer, request->second.permission))
        return reply.fail(Exit::not_permitted, {call.name, "only root may do this"});
    if (request->second.permission == Permission::operate && settings_.objection)
        if (auto objection = settings_.objection(peer, call.name))
            return reply.fail(Exit::not_permitted, *objection);
    try {
        request->second.handler(call.params, peer, reply);
    } catch (const nlohmann::json::exception&) {
        // A parameter of another type than the handler took for granted.
        reply.fail(Exit::usage, {call.name, "a parameter is missing or of a wrong type"});
    }
}

std::size_t Server::buffered() const {
    std::size_t bytes = 0;
    for (const auto& [key, connection] : connections_)
        bytes += connection->buffered();
    return bytes;
}

void Server::forget(Connection* connection) {
    connections_.erase(connection);
}

} // namespace escort::control
