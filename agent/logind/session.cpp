#include "logind/client.h"

namespace escort {

namespace {

constexpr std::uint64_t kMicroseconds = 1'000'000;

// "(uo)" and "(so)": a value and its object; the object is not of interest.
void first_of_user(MessageReader& reader, LoginSession& session) {
    reader.structure("uo", [&] {
        session.uid = reader.u32();
        reader.skip("o");
    });
}

std::string* text_field(LoginSession& session, const std::string& name) {
    if (name == "Id") return &session.id;
    if (name == "Name") return &session.user;
    if (name == "Scope") return &session.scope;
    if (name == "TTY") return &session.tty;
    if (name == "RemoteHost") return &session.remote_host;
    if (name == "Service") return &session.service;
    if (name == "Type") return &session.type;
    if (name == "Class") return &session.kind;
    if (name == "State") return &session.state;
    return nullptr;
}

} // namespace

Result<LoginSession> login_session(MessageReader& properties) {
    LoginSession session;
    bool has_user = false;
    properties.properties([&](const std::string& name, const std::string& type) {
        if (auto* field = text_field(session, name); field != nullptr && type == "s") {
            *field = properties.string();
        } else if (name == "User" && type == "(uo)") {
            first_of_user(properties, session);
            has_user = true;
        } else if (name == "Leader" && type == "u") {
            session.leader = static_cast<pid_t>(properties.u32());
        } else if (name == "Audit" && type == "u") {
            session.audit_session = properties.u32();
        } else if (name == "Remote" && type == "b") {
            session.remote = properties.boolean();
        } else if (name == "Timestamp" && type == "t") {
            session.since = static_cast<std::int64_t>(properties.u64() / kMicroseconds);
        }
    });
    if (!properties.ok() || session.id.empty() || !has_user)
        return fail("logind", "its answer about a session can't be understood");
    return session;
}

} // namespace escort
