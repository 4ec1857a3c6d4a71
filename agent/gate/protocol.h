// What pam_escort.so and the daemon say to each other (docs/pam-gate.md): one message each way over a Unix
// SOCK_SEQPACKET socket. Both sides include this; no I/O here, and nothing in a message is believed for
// itself: who asks is what the kernel says (gate/server.h).
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace escort::gate {

constexpr std::size_t kMessageBytes = std::size_t{64} << 10; // of a whole message
constexpr std::size_t kNameBytes = 256;                      // of service, user, rhost, ruser, tty
constexpr std::size_t kAuthInfoBytes = std::size_t{48} << 10;
constexpr std::size_t kReferenceBytes = 64;
constexpr std::size_t kTextBytes = 1024; // of an answer's message

// Where in a login the module is asked.
enum class Phase : unsigned char {
    account = 1, // pam_acct_mgmt: the only one whose refusal every program tells the person about
    open = 2,    // pam_setcred(PAM_ESTABLISH_CRED): to be labelled; an answer of refuse is not acted on
    session = 3, // pam_open_session: the key is known
};

struct GateRequest {
    Phase phase = Phase::account;
    std::string service; // PAM_SERVICE: a hint, the way in is told from the process
    std::string user;  // PAM_USER: of sudo's account phase who asks, of its session phase whom it turns into
    std::string rhost; // PAM_RHOST, PAM_RUSER, PAM_TTY: as the program set them; may be empty
    std::string ruser;
    std::string tty;
    std::string auth_info; // SSH_AUTH_INFO_0 (gate/auth_info.h); lines
};

enum class Decision : unsigned char {
    admit = 1,
    refuse = 2,
    ignore = 3, // not the gate's business: no principal, or a session that is admitted already
};

struct GateAnswer {
    Decision decision = Decision::ignore;
    std::string reference; // a session's id, for the person to tell; may be empty
    std::string message;   // one line for the person; may be empty
    // Of an admitted login: after so many seconds PID 1 is to end its scope (systemd.scope(5),
    // RuntimeMaxSec), by which time the approval is over. 0: nothing is said to PID 1.
    std::uint32_t runtime_max_s = 0;
};

// Whole messages. Encoding fails where a field is too long or holds a control character (auth_info may hold
// line ends). Decoding accepts exactly what encoding makes, of this version alone.
[[nodiscard]] Result<std::string> encode(const GateRequest& request);
[[nodiscard]] Result<std::string> encode(const GateAnswer& answer);
[[nodiscard]] Result<GateRequest> decode_request(std::string_view message);
[[nodiscard]] Result<GateAnswer> decode_answer(std::string_view message);

// `text` cut to `limit` bytes at a character's start, control characters made '?': what an answer may carry.
[[nodiscard]] std::string plain_line(std::string_view text, std::size_t limit);

} // namespace escort::gate
