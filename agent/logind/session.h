// A logind session, as org.freedesktop.login1(5) describes it. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>

namespace escort {

// What the login's PAM stack told logind: facts for people and for matching, never an identity (a root
// process may be in no session, or in another's).
struct LoginSession {
    std::string id; // "3", "c1"
    std::uint32_t uid = 0;
    std::string user;
    pid_t leader = 0;                // the login process
    std::uint32_t audit_session = 0; // 0: none
    std::string scope;               // "session-3.scope"
    std::string tty;                 // "pts/3"; empty of an ssh session (logind is told before there is one)
    bool remote = false;
    std::string remote_host; // as the PAM service gave it: an address, or a name from DNS
    std::string service;     // of PAM: "sshd", "login"
    std::string type;        // "tty", "unspecified" ...
    std::string kind;        // Class: "user", "background", "greeter" ...
    std::string state;       // when it was heard of: "opening", "online", "active", "closing"
    std::int64_t since = 0;  // seconds since the epoch
};

} // namespace escort
