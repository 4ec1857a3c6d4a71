// The NSS helper process: `escortd --nss-helper`, started by nss/client.h with a stream socket as fd 3. It
// does look-ups and nothing else, one at a time, and may hang in any of them: its parent kills it then.
#pragma once

namespace escort {

constexpr int kNssHelperFd = 3;

// Answers requests (nss/protocol.h) from `fd` until it is closed. The process's exit code.
[[nodiscard]] int run_nss_helper(int fd);

} // namespace escort
