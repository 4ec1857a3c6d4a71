#include "service/session_state.h"

#include "base/file.h"
#include "base/json_number.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace escort {

namespace {

using nlohmann::json;

constexpr std::uint32_t kFormat = 2; // 1 knew of the approvals alone
constexpr std::size_t kLimit = std::size_t{64}
                               << 20; // 16,384 sessions, of each 1 KiB of issuer and of jti, and room

ApprovalId read_id(const json& id) {
    return {id.at("iss").get<std::string>(), id.at("jti").get<std::string>()};
}

std::optional<std::string> read_text(const json& object, const char* name) {
    const auto found = object.find(name);
    if (found == object.end()) return std::nullopt;
    return found->get<std::string>();
}

KeptSession read_session(const json& object) {
    KeptSession kept;
    if (object.contains("approval")) kept.approval = read_id(object.at("approval"));
    kept.proven = {object.value("gated", false),     read_text(object, "source"),
                   read_text(object, "source_from"), read_text(object, "key"),
                   read_text(object, "key_id"),      read_text(object, "key_from")};
    kept.unit = object.value("unit", "");
    kept.user_manager = object.value("user_manager", false);
    kept.frozen_by_hand = object.value("frozen_by_hand", false);
    if (object.contains("entered"))
        for (const auto& uid : object.at("entered"))
            kept.entered.insert(number_from<std::uint32_t>(uid));
    if (object.contains("also")) kept.also = object.at("also").get<std::vector<std::string>>();
    return kept;
}

json write_session(const KeptSession& kept) {
    json object = json::object();
    const auto put = [&](const char* name, const std::optional<std::string>& value) {
        if (value) object[name] = *value;
    };
    if (kept.approval) object["approval"] = {{"iss", kept.approval->issuer}, {"jti", kept.approval->jti}};
    if (!kept.unit.empty()) object["unit"] = kept.unit;
    put("source", kept.proven.source);
    put("source_from", kept.proven.source_from);
    put("key", kept.proven.key);
    put("key_id", kept.proven.key_id);
    put("key_from", kept.proven.key_from);
    if (kept.proven.gated) object["gated"] = true;
    if (kept.user_manager) object["user_manager"] = true;
    if (kept.frozen_by_hand) object["frozen_by_hand"] = true;
    if (!kept.entered.empty()) object["entered"] = kept.entered;
    if (!kept.also.empty()) object["also"] = kept.also;
    return object;
}

} // namespace

Result<SessionState> load_session_state(const std::string& path, std::uint32_t boot) {
    SessionState state;
    state.boot = boot;
    std::error_code error;
    if (!std::filesystem::exists(path, error)) return state;
    const auto text = read_file(path, kLimit);
    if (!text) return tl::unexpected(text.error());
    try {
        const auto whole = json::parse(*text);
        const auto format = number_from<std::uint32_t>(whole.at("format"));
        if (format != 1 && format != kFormat)
            return fail(path, "is of format " + std::to_string(format) + ", which this version doesn't know",
                        "install the version that wrote it, or remove the file");
        if (number_from<std::uint32_t>(whole.at("boot")) != boot) return state;
        state.next = number_from<std::uint64_t>(whole.at("next"));
        if (format == 1)
            for (const auto& [name, id] : whole.at("approvals").items())
                state.sessions[name].approval = read_id(id);
        else
            for (const auto& [name, session] : whole.at("sessions").items())
                state.sessions.emplace(name, read_session(session));
    } catch (const nlohmann::json::exception& problem) {
        return fail(path, problem.what(), "remove the file: live sessions are then judged afresh");
    }
    return state;
}

Status save_session_state(const std::string& path, const SessionState& state) {
    json sessions = json::object();
    for (const auto& [name, kept] : state.sessions)
        sessions[name] = write_session(kept);
    const json whole{
        {"format", kFormat}, {"boot", state.boot}, {"next", state.next}, {"sessions", std::move(sessions)}};
    return write_file_atomically(path, whole.dump() + "\n", 0600);
}

Result<std::uint32_t> boot_number() {
    constexpr const char* kPath = "/proc/sys/kernel/random/boot_id";
    std::ifstream file(kPath);
    std::string text;
    if (!std::getline(file, text) || text.size() < 8) return fail(kPath, "can't be read");
    try {
        return static_cast<std::uint32_t>(std::stoul(text.substr(0, 8), nullptr, 16));
    } catch (const std::exception&) {
        return fail(kPath, "holds no boot id: " + text);
    }
}

} // namespace escort
