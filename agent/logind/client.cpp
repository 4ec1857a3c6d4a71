#include "logind/client.h"

#include <algorithm>

namespace escort {

namespace {

constexpr const char* kName = "org.freedesktop.login1";
constexpr const char* kPath = "/org/freedesktop/login1";
constexpr const char* kManager = "org.freedesktop.login1.Manager";
constexpr const char* kSession = "org.freedesktop.login1.Session";
constexpr const char* kProperties = "org.freedesktop.DBus.Properties";
constexpr const char* kDBus = "org.freedesktop.DBus";
constexpr const char* kDBusPath = "/org/freedesktop/DBus";

const LoginSession* find_if(const std::map<std::string, LoginSession>& sessions, auto&& fits) {
    const auto found =
        std::find_if(sessions.begin(), sessions.end(), [&](const auto& each) { return fits(each.second); });
    return found == sessions.end() ? nullptr : &found->second;
}

} // namespace

LogindClient::LogindClient(Bus& bus) : bus_(bus) {
    bus_.on_change([this](bool up) { bus_changed(up); });
}

const LoginSession* LogindClient::find(const std::string& id) const {
    const auto found = sessions_.find(id);
    return found == sessions_.end() ? nullptr : &found->second;
}

const LoginSession* LogindClient::by_audit(std::uint32_t audit_session) const {
    if (audit_session == 0) return nullptr;
    return find_if(sessions_, [&](const LoginSession& each) { return each.audit_session == audit_session; });
}

const LoginSession* LogindClient::by_leader(pid_t pid) const {
    return find_if(sessions_, [&](const LoginSession& each) { return each.leader == pid; });
}

const LoginSession* LogindClient::by_scope(const std::string& scope) const {
    return find_if(sessions_, [&](const LoginSession& each) { return each.scope == scope; });
}

void LogindClient::bus_changed(bool up) {
    ready_ = false;
    listed_ = false;
    asked_.clear();
    ++round_;
    if (!up) return;
    subscribe("SessionNew", [this](const auto& id, const auto& object) { ask_for(id, object); });
    subscribe("SessionRemoved", [this](const auto& id, const auto&) { gone(id); });
    // logind itself has come (back): what happened while it was away was not announced.
    auto watched = bus_.subscribe(kDBus, kDBusPath, kDBus, "NameOwnerChanged", [this](MessageReader reader) {
        const auto name = reader.string(), before = reader.string(), now = reader.string();
        if (reader.ok() && name == kName && !now.empty()) take_snapshot();
    });
    if (!watched) report(watched.error());
    take_snapshot(); // after the subscriptions on the same connection: nothing falls in between
}

void LogindClient::subscribe(const std::string& member,
                             std::function<void(const std::string&, const std::string&)> heard) {
    auto done =
        bus_.subscribe(kName, kPath, kManager, member, [heard = std::move(heard)](MessageReader reader) {
            const auto id = reader.string(), object = reader.object();
            if (reader.ok()) heard(id, object);
        });
    if (!done) report(done.error());
}

void LogindClient::take_snapshot() {
    ready_ = false;
    listed_ = false;
    const auto round = ++round_;
    auto asked =
        bus_.call({kName, kPath, kManager, "ListSessions"}, [this, round](Result<MessageReader> answer) {
            if (round == round_) take_list(std::move(answer));
        });
    if (!asked) report(asked.error());
}

void LogindClient::take_list(Result<MessageReader> answer) {
    if (!answer) return report(answer.error()); // no logind: its coming is announced
    std::map<std::string, std::string> there;   // id, object
    answer->array("(susso)", [&] {
        answer->structure("susso", [&] {
            const auto id = answer->string();
            answer->skip("uss");
            there.emplace(id, answer->object());
        });
    });
    if (!answer->ok()) return report({"logind", "its list of sessions can't be understood"});
    std::vector<std::string> ended;
    for (const auto& [id, session] : sessions_)
        if (!there.contains(id)) ended.push_back(id);
    for (const auto& id : ended)
        gone(id);
    listed_ = true;
    for (const auto& [id, object] : there)
        ask_for(id, object); // known ones too: an id may be another session's by now
    settle();
}

void LogindClient::ask_for(const std::string& id, const std::string& object) {
    if (!asked_.insert(id).second) return;
    auto asked = bus_.call({kName, object, kProperties, "GetAll", {std::string(kSession)}},
                           [this, id](Result<MessageReader> answer) { take_session(id, std::move(answer)); });
    if (asked) return;
    asked_.erase(id);
    report(asked.error());
}

void LogindClient::take_session(const std::string& id, Result<MessageReader> answer) {
    if (asked_.erase(id) == 0) return; // ended meanwhile, or asked over a connection that broke
    const auto session = answer.and_then([](MessageReader properties) { return login_session(properties); });
    if (session)
        keep(*session);
    else
        report(session.error());
    settle();
}

void LogindClient::keep(const LoginSession& session) {
    const auto known = sessions_.find(session.id);
    const bool same = known != sessions_.end() && known->second.leader == session.leader &&
                      known->second.since == session.since;
    if (known != sessions_.end() && !same) gone(session.id);
    sessions_.insert_or_assign(session.id, session);
    if (!same && on_new) on_new(session);
}

void LogindClient::gone(const std::string& id) {
    asked_.erase(id);
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return settle();
    const LoginSession session = std::move(found->second);
    sessions_.erase(found);
    if (on_removed) on_removed(session);
    settle();
}

void LogindClient::settle() {
    ready_ = listed_ && (ready_ || asked_.empty());
}

void LogindClient::report(const Error& error) const {
    if (on_error) on_error(error);
}

} // namespace escort
