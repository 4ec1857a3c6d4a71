// Sessions as the agent knows them: facts, verdict, and where each is in its life. Pure values.
#pragma once

#include "core/policy.h"
#include "core/verdict.h"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace escort {

enum class Stage { live, ending, ended };
[[nodiscard]] const char* to_string(Stage stage);

// What was established at a session's start and stays so, with where it is known from. Absent: not
// established.
struct Proven {
    bool gated = false;                             // the PAM gate cleared it before its first instruction
    std::optional<std::string> source, source_from; // the peer's address
    std::optional<std::string> key, key_id, key_from;
    bool operator==(const Proven&) const = default;
};

struct Session {
    std::uint64_t id = 0;
    std::string account; // of a unit's session: the unit
    std::string unit;    // "walinuxagent.service"; empty where it is an account's
    std::uint32_t uid = 0;
    Entry entry = Entry::other;
    Proven proven;
    std::string policy; // name of the governing one
    std::uint64_t opened_boot_ns = 0;
    std::int64_t started = 0; // seconds since the epoch, trusted time
    std::int64_t ended = 0;   // 0 while it lives

    // Of the task that opened it, for people; never its identity.
    std::uint32_t pid = 0;
    std::string comm, exe, tty, cgroup;
    std::optional<std::uint32_t> audit_session;
    std::optional<std::uint32_t> login_uid;
    std::string logind_session, scope; // as logind has it

    Stage stage = Stage::live;
    bool refused_at_birth = false; // by the kernel
    bool reported = false;         // its verdict has been written to the journal
    bool user_manager = false;     // `systemd --user` of the account: lives while a session of it does
    bool frozen_by_hand = false;
    bool frozen = false;                  // told to stand still, whatever the cause
    std::uint64_t idle_ns = 0;            // when it was last looked at
    std::uint64_t warned_deadline_ns = 0; // the end that its terminals were told of before
    // Until when its key must be known (the gate's session phase), CLOCK_BOOTTIME; 0: it is not waited for.
    // Until then it holds no approval that another session could need.
    std::uint64_t key_due_boot_ns = 0;
    Verdict verdict;
    std::set<std::uint32_t> entered; // uids of principals that it has turned into
    std::vector<std::uint32_t> also; // uids that the kernel lets it turn into
    std::string action;              // "kill", "none", "log"
    std::uint32_t killed = 0;        // processes

    std::uint64_t events = 0; // number of its last lifecycle event seen
};

// "7f3a2c1e-42" (contract §6): start of the boot id, number. Unique across reboots.
[[nodiscard]] std::string session_name(std::uint64_t id);
// The id behind such a name; nothing when it isn't one.
[[nodiscard]] std::optional<std::uint64_t> session_id(const std::string& name);

// The approval that the session uses one of the places of: not before its key is known, and never as a user
// manager, which lives by another's.
[[nodiscard]] std::optional<ApprovalId> approval_in_use(const Session& session);

// All live sessions, and the last 256 that ended (for `sessions --all`).
class SessionTable {
  public:
    Session& add(Session session);
    [[nodiscard]] Session* find(std::uint64_t id);
    // Moves it to the ended ones.
    void end(std::uint64_t id, std::int64_t when);

    [[nodiscard]] std::map<std::uint64_t, Session>& live() { return live_; }
    [[nodiscard]] const std::map<std::uint64_t, Session>& live() const { return live_; }
    [[nodiscard]] const std::deque<Session>& ended() const { return ended_; }
    // Those of the live ones that were added as user managers.
    [[nodiscard]] const std::set<std::uint64_t>& user_managers() const { return user_managers_; }
    // Live sessions that use an approval, by approval; `but` is not counted. Looks through all.
    [[nodiscard]] std::map<ApprovalId, std::uint32_t> in_use(std::uint64_t but) const;

  private:
    std::map<std::uint64_t, Session> live_;
    std::set<std::uint64_t> user_managers_;
    std::deque<Session> ended_;
};

} // namespace escort
