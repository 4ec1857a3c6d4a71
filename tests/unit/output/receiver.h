// A journald stand-in: a datagram socket in a folder of its own, read by the test when it likes.
#pragma once

#include "base/fd.h"
#include "temp_folder.h"

#include <cstring>
#include <doctest/doctest.h>
#include <filesystem>
#include <optional>
#include <stdlib.h>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace escort::test {

class Receiver {
  public:
    [[nodiscard]] std::string path() const { return folder_.path("socket"); }

    void start() {
        socket_ = Fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path().c_str(), sizeof address.sun_path - 1);
        ::unlink(path().c_str());
        REQUIRE(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    }
    void stop() { socket_.reset(); }

    // The next record, from its memory file where it came in one.
    [[nodiscard]] std::optional<std::string> next() {
        std::string data(std::size_t{1} << 20, '\0');
        iovec part{data.data(), data.size()};
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        const ssize_t got = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (got < 0) return std::nullopt;
        data.resize(static_cast<std::size_t>(got));
        if (const cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
            data = from_file(Fd(fd));
            ++in_files;
        }
        return data;
    }

    int in_files = 0;

  private:
    static std::string from_file(const Fd& file) {
        struct stat status {};
        REQUIRE(::fstat(file.get(), &status) == 0);
        std::string data(static_cast<std::size_t>(status.st_size), '\0');
        REQUIRE(::pread(file.get(), data.data(), data.size(), 0) == status.st_size);
        return data;
    }

    TempFolder folder_;
    Fd socket_;
};

} // namespace escort::test
