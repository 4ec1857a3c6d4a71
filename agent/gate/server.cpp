#include "gate/server.h"

#include "base/unix_socket.h"
#include "gate/connection.h"

#include <cerrno>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace escort::gate {

namespace {

// Accepts a second. It also bounds what a process that is out of descriptors spends on trying.
constexpr unsigned kAcceptsPerSecond = 500;

} // namespace

GateServer::GateServer(sd_event* loop, GateSettings settings, Handler handler)
    : loop_(loop), settings_(std::move(settings)), handler_(std::move(handler)) {}

GateServer::~GateServer() {
    for (const auto& [key, connection] : connections_)
        connection->orphan();
}

Result<std::unique_ptr<GateServer>> GateServer::listen(sd_event* loop, GateSettings settings,
                                                       Handler handler) {
    std::unique_ptr<GateServer> server(new GateServer(loop, std::move(settings), std::move(handler)));
    if (auto opened = server->open(); !opened) return tl::unexpected<Error>(opened.error());
    return server;
}

Status GateServer::open() {
    auto socket = listen_unix(settings_.path, SOCK_SEQPACKET, std::nullopt);
    if (!socket) return tl::unexpected<Error>(socket.error());
    socket_ = std::move(*socket);

    sd_event_source* source = nullptr;
    int error = sd_event_add_io(loop_, &source, socket_.get(), EPOLLIN, on_connect, this);
    if (error < 0) return fail_errno(settings_.path, "watch", -error);
    source_.reset(source);
    error = sd_event_source_set_ratelimit(source_.get(), 1'000'000, kAcceptsPerSecond);
    if (error < 0) return fail_errno(settings_.path, "rate limit", -error);
    return {};
}

int GateServer::on_connect(sd_event_source*, int, std::uint32_t, void* self) {
    static_cast<GateServer*>(self)->accept_one();
    return 0;
}

void GateServer::accept_one() {
    Fd connection(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!connection.valid()) return;
    // Closed at once: the module asks again until its time is over.
    if (connections_.size() >= settings_.connections) {
        ++rejected_;
        return;
    }
    auto made = std::make_shared<GateConnection>(*this, std::move(connection));
    connections_.emplace(made.get(), made);
    if (!made->start(loop_)) forget(made.get());
}

void GateServer::forget(GateConnection* connection) {
    connections_.erase(connection);
}

} // namespace escort::gate
