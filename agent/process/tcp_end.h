// A socket address of the kernel's as text.
#pragma once

#include "process/sockets.h"

#include <sys/socket.h>

namespace escort {

// AF_INET or AF_INET6 (an IPv4-mapped address as IPv4); anything else gives an empty address.
[[nodiscard]] TcpEnd tcp_end(const sockaddr& address);

} // namespace escort
