#include "service/session_state.h"

#include "base/file.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace escort {

namespace {
constexpr int kFormat = 1;
constexpr std::size_t kLimit = std::size_t{16} << 20;
} // namespace

Result<SessionState> load_session_state(const std::string& path, std::uint32_t boot) {
    SessionState state;
    state.boot = boot;
    std::error_code error;
    if (!std::filesystem::exists(path, error)) return state;
    const auto text = read_file(path, kLimit);
    if (!text) return tl::unexpected(text.error());
    try {
        const auto json = nlohmann::json::parse(*text);
        if (json.at("format") != kFormat)
            return fail(path,
                        "is of format " + json.at("format").dump() + ", which this version doesn't know",
                        "install the version that wrote it, or remove the file");
        if (json.at("boot").get<std::uint32_t>() != boot) return state;
        state.next = json.at("next").get<std::uint64_t>();
        for (const auto& [name, id] : json.at("approvals").items())
            state.approvals.emplace(
                name, ApprovalId{id.at("iss").get<std::string>(), id.at("jti").get<std::string>()});
    } catch (const nlohmann::json::exception& problem) {
        return fail(path, problem.what(), "remove the file: live sessions are then judged afresh");
    }
    return state;
}

Status save_session_state(const std::string& path, const SessionState& state) {
    nlohmann::json approvals = nlohmann::json::object();
    for (const auto& [name, id] : state.approvals)
        approvals[name] = {{"iss", id.issuer}, {"jti", id.jti}};
    const nlohmann::json json{
        {"format", kFormat}, {"boot", state.boot}, {"next", state.next}, {"approvals", std::move(approvals)}};
    return write_file_atomically(path, json.dump() + "\n", 0600);
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
