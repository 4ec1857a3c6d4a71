#include "core/session.h"

#include <charconv>
#include <cstdio>

namespace escort {

namespace {
constexpr std::size_t kEndedKept = 256;
}

const char* to_string(Stage stage) {
    switch (stage) {
    case Stage::live:
        return "live";
    case Stage::ending:
        return "ending";
    case Stage::ended:
        break;
    }
    return "ended";
}

std::string session_name(std::uint64_t id) {
    char text[24];
    std::snprintf(text, sizeof text, "%08x-%u", static_cast<unsigned>(id >> 32), static_cast<unsigned>(id));
    return text;
}

std::optional<std::uint64_t> session_id(const std::string& name) {
    if (name.size() < 10 || name[8] != '-') return std::nullopt;
    std::uint32_t boot = 0, number = 0;
    const char* text = name.data();
    const char* end = text + name.size();
    if (const auto [at, error] = std::from_chars(text, text + 8, boot, 16);
        error != std::errc{} || at != text + 8)
        return std::nullopt;
    if (const auto [at, error] = std::from_chars(text + 9, end, number); error != std::errc{} || at != end)
        return std::nullopt;
    const std::uint64_t id = std::uint64_t{boot} << 32 | number;
    return session_name(id) == name ? std::optional(id) : std::nullopt;
}

std::optional<ApprovalId> approval_in_use(const Session& session) {
    if (session.user_manager || session.key_due_boot_ns != 0) return std::nullopt;
    return session.verdict.approval;
}

Session& SessionTable::add(Session session) {
    const std::uint64_t id = session.id;
    if (session.user_manager) user_managers_.insert(id);
    return live_.insert_or_assign(id, std::move(session)).first->second;
}

Session* SessionTable::find(std::uint64_t id) {
    if (const auto found = live_.find(id); found != live_.end()) return &found->second;
    for (auto& session : ended_)
        if (session.id == id) return &session;
    return nullptr;
}

std::map<ApprovalId, std::uint32_t> SessionTable::in_use(std::uint64_t but) const {
    std::map<ApprovalId, std::uint32_t> counts;
    for (const auto& [id, session] : live_)
        if (const auto approval = approval_in_use(session); id != but && approval) ++counts[*approval];
    return counts;
}

void SessionTable::end(std::uint64_t id, std::int64_t when) {
    auto node = live_.extract(id);
    if (node.empty()) return;
    user_managers_.erase(id);
    node.mapped().stage = Stage::ended;
    node.mapped().ended = when;
    ended_.push_back(std::move(node.mapped()));
    if (ended_.size() > kEndedKept) ended_.pop_front();
}

} // namespace escort
