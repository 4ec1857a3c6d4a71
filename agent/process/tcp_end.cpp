#include "process/tcp_end.h"

#include <arpa/inet.h>
#include <array>
#include <cstring>
#include <netinet/in.h>

namespace escort {

TcpEnd tcp_end(const sockaddr& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.sa_family == AF_INET) {
        const auto& four = reinterpret_cast<const sockaddr_in&>(address);
        ::inet_ntop(AF_INET, &four.sin_addr, text.data(), text.size());
        return {text.data(), ntohs(four.sin_port)};
    }
    if (address.sa_family != AF_INET6) return {};
    const auto& six = reinterpret_cast<const sockaddr_in6&>(address);
    if (IN6_IS_ADDR_V4MAPPED(&six.sin6_addr))
        ::inet_ntop(AF_INET, six.sin6_addr.s6_addr + 12, text.data(), text.size());
    else
        ::inet_ntop(AF_INET6, &six.sin6_addr, text.data(), text.size());
    return {text.data(), ntohs(six.sin6_port)};
}

} // namespace escort
