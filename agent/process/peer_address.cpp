#include "process/peer_address.h"

#include "process/sockets.h"

#include <algorithm>

namespace escort {

namespace {

constexpr int kSteps = 32; // upward

bool is_sshd(const ProcessFacts& facts) {
    const auto program = facts.program();
    return facts.uid == 0 && (program == "sshd" || program == "sshd-session");
}

std::vector<TcpSocket> connections(const std::vector<TcpSocket>& sockets) {
    std::vector<TcpSocket> found;
    std::copy_if(sockets.begin(), sockets.end(), std::back_inserter(found),
                 [](const TcpSocket& socket) { return !socket.listening; });
    return found;
}

// Keeps what came in at a port where the process's parent listens. What sshd opened itself since (a
// forwarding of root's own session, a directory's server) did not.
void keep_accepted(std::vector<TcpSocket>& candidates, const Process& sshd) {
    const auto listener = sshd.parent();
    const auto facts = listener ? listener->facts() : std::nullopt;
    if (!facts || !is_sshd(*facts)) return;
    const auto theirs = tcp_sockets(*listener);
    if (!theirs) return;
    std::erase_if(candidates, [&](const TcpSocket& candidate) {
        return std::none_of(theirs->begin(), theirs->end(), [&](const TcpSocket& socket) {
            return socket.listening && socket.local.port == candidate.local.port;
        });
    });
}

} // namespace

Result<PeerAddress> peer_address(const Process& process) {
    const std::string where = "process " + std::to_string(process.pid());
    std::optional<Process> above; // keeps what `current` points to
    const Process* current = &process;
    for (int step = 0; step < kSteps; ++step) {
        const auto facts = current->facts();
        if (!facts) break;
        if (is_sshd(*facts)) {
            const auto sockets = tcp_sockets(*current);
            if (!sockets) return tl::unexpected(sockets.error());
            auto candidates = connections(*sockets);
            const bool several = candidates.size() > 1;
            if (several) keep_accepted(candidates, *current);
            if (several && candidates.size() != 1)
                return fail(where, "its sshd has several connections: which one opened it can't be told");
            if (candidates.size() == 1)
                return PeerAddress{candidates[0].peer.address, candidates[0].peer.port, current->pid()};
        }
        auto parent = current->parent();
        if (!parent) break;
        above = std::move(parent);
        current = &*above;
    }
    return fail(where, "no sshd with a connection is above it");
}

} // namespace escort
