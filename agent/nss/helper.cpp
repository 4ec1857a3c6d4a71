#include "nss/helper.h"

#include "nss/lookup.h"
#include "nss/protocol.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace escort {

namespace {

std::string answer(const std::string& line) {
    const auto question = decode_question(line);
    if (!question) return encode_account(tl::unexpected(question.error()));
    if (const auto* accounts = std::get_if<AccountsQuestion>(&*question))
        return encode_accounts(look_up_accounts(*accounts));
    if (const auto* uid = std::get_if<UidQuestion>(&*question)) return encode_account(look_up_uid(uid->uid));
    return encode_account(look_up_name(std::get<NameQuestion>(*question).name));
}

bool send_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

} // namespace

int run_nss_helper(int fd) {
    // A helper that hangs in a look-up would not see its parent go.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    std::string pending;
    std::array<char, 16384> buffer{};
    for (;;) {
        const ssize_t got = ::read(fd, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return got == 0 ? 0 : 1;
        pending.append(buffer.data(), static_cast<std::size_t>(got));
        if (pending.size() > kNssLineBytes) return 1;
        for (auto end = pending.find('\n'); end != std::string::npos; end = pending.find('\n')) {
            const std::string line = pending.substr(0, end);
            pending.erase(0, end + 1);
            if (!send_all(fd, answer(line) + "\n")) return 1;
        }
    }
}

} // namespace escort
