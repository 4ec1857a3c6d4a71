// The sessions that logind knows: all of them at the start, each new one, each that is gone. Changes nothing
// there, and is never waited for.
#pragma once

#include "logind/bus.h"
#include "logind/session.h"

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace escort {

// While the bus or logind is away the last known sessions stay; what changed meanwhile is told when they are
// back. logind announces a session after its login process has been cleared by PAM, and a few milliseconds
// pass until its facts are here.
class LogindClient {
  public:
    // `bus` must outlive this, and be started after this was made.
    explicit LogindClient(Bus& bus);
    LogindClient(const LogindClient&) = delete;
    LogindClient& operator=(const LogindClient&) = delete;

    // Its facts are known; it has ended.
    std::function<void(const LoginSession&)> on_new;
    std::function<void(const LoginSession&)> on_removed;
    // A question that got no answer, or one that can't be understood.
    std::function<void(const Error&)> on_error;

    // All sessions there were have been heard of, and new ones will be.
    [[nodiscard]] bool ready() const { return ready_; }
    [[nodiscard]] const std::map<std::string, LoginSession>& sessions() const { return sessions_; }
    [[nodiscard]] const LoginSession* find(const std::string& id) const;
    [[nodiscard]] const LoginSession* by_audit(std::uint32_t audit_session) const;
    [[nodiscard]] const LoginSession* by_leader(pid_t pid) const;
    // "session-3.scope": the last folder of the cgroup of what logind put there.
    [[nodiscard]] const LoginSession* by_scope(const std::string& scope) const;

  private:
    void bus_changed(bool up);
    void subscribe(const std::string& member,
                   std::function<void(const std::string&, const std::string&)> heard);
    void take_snapshot();
    void take_list(Result<MessageReader> answer);
    void ask_for(const std::string& id, const std::string& object);
    void take_session(const std::string& id, Result<MessageReader> answer);
    void keep(const LoginSession& session);
    void gone(const std::string& id);
    void settle();
    void report(const Error& error) const;

    Bus& bus_;
    std::map<std::string, LoginSession> sessions_;
    std::set<std::string> asked_; // ids whose facts are on their way
    bool listed_ = false;
    bool ready_ = false;
    std::uint64_t round_ = 0; // of the snapshot; answers to an older one are dropped
};

// From the answer of org.freedesktop.DBus.Properties.GetAll. Error: a property is missing or of another type.
[[nodiscard]] Result<LoginSession> login_session(MessageReader& properties);

} // namespace escort
