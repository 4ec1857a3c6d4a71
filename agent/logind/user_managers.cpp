#include "logind/user_managers.h"

#include "base/file.h"

#include <cerrno>
#include <charconv>
#include <optional>
#include <sstream>
#include <unistd.h>

namespace escort {

namespace {

constexpr const char* kSystemd = "org.freedesktop.systemd1";
constexpr const char* kSystemdPath = "/org/freedesktop/systemd1";
constexpr const char* kSystemdManager = "org.freedesktop.systemd1.Manager";
constexpr const char* kDevNull = "/dev/null";
constexpr std::size_t kRecordBytes = 1 << 20;
constexpr std::string_view kPrefix = "user@", kSuffix = ".service";

std::string unit_of(std::uint32_t uid) {
    return std::string(kPrefix) + std::to_string(uid) + std::string(kSuffix);
}

std::optional<std::uint32_t> uid_of(std::string_view unit) {
    if (!unit.starts_with(kPrefix) || !unit.ends_with(kSuffix)) return std::nullopt;
    const auto text = unit.substr(kPrefix.size(), unit.size() - kPrefix.size() - kSuffix.size());
    std::uint32_t uid = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), uid);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
    return uid;
}

bool is_mask(const std::string& path) {
    char target[sizeof "/dev/null"] = {};
    return ::readlink(path.c_str(), target, sizeof target) == sizeof target - 1 &&
           std::string_view(target, sizeof target - 1) == kDevNull;
}

bool is_there(const std::string& path) {
    char target = 0;
    return ::readlink(path.c_str(), &target, 1) >= 0 || errno != ENOENT; // EINVAL: something, no link
}

// One uid a line.
Result<std::set<std::uint32_t>> read_record(const std::string& path) {
    std::set<std::uint32_t> uids;
    const auto text = read_file(path, kRecordBytes);
    if (!text) {
        if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) return uids;
        return tl::unexpected(text.error());
    }
    std::istringstream lines(*text);
    for (std::uint32_t uid = 0; lines >> uid;)
        uids.insert(uid);
    return uids;
}

Status write_record(const std::string& path, const std::set<std::uint32_t>& uids) {
    std::string text;
    for (const auto uid : uids)
        text += std::to_string(uid) + "\n";
    return write_file_atomically(path, text, 0644);
}

// Whatever isn't a mask any more was replaced by somebody: it is theirs now.
Status remove_mask(const std::string& path) {
    if (is_mask(path) && ::unlink(path.c_str()) != 0 && errno != ENOENT)
        return fail_errno(path, "unmask", errno);
    return {};
}

} // namespace

UserManagers::UserManagers(Bus& bus, UserManagerPaths paths) : bus_(bus), paths_(std::move(paths)) {
    bus_.on_change([this](bool up) {
        if (up && known_) look();
    });
}

Status UserManagers::set(const std::set<std::uint32_t>& uids) {
    wanted_ = uids;
    wanted_.erase(0);
    known_ = true;
    auto written = write_masks(wanted_);
    if (bus_.up()) look();
    return written;
}

Status UserManagers::write_masks(const std::set<std::uint32_t>& uids) {
    const auto recorded = read_record(paths_.record);
    if (!recorded) return tl::unexpected(recorded.error());
    std::set<std::uint32_t> ours;
    for (const auto uid : uids)
        if (recorded->contains(uid) || !is_there(paths_.units + "/" + unit_of(uid))) ours.insert(uid);
    auto before = ours;
    before.insert(recorded->begin(), recorded->end());
    if (before != *recorded)
        if (auto written = write_record(paths_.record, before); !written) return written;

    Status result;
    for (const auto uid : ours) {
        const auto path = paths_.units + "/" + unit_of(uid);
        unmasked_.erase(uid);
        if (::symlink(kDevNull, path.c_str()) != 0 && errno != EEXIST && result)
            result = fail_errno(path, "mask", errno);
    }
    auto after = ours;
    for (const auto uid : *recorded) {
        if (ours.contains(uid)) continue;
        if (auto removed = remove_mask(paths_.units + "/" + unit_of(uid)); removed) {
            unmasked_.insert(uid);
        } else {
            after.insert(uid);
            if (result) result = removed;
        }
    }
    if (after != before)
        if (auto written = write_record(paths_.record, after); !written && result) result = written;
    return result;
}

void UserManagers::look() {
    auto asked = bus_.call({kSystemd,
                            kSystemdPath,
                            kSystemdManager,
                            "ListUnitsByPatterns",
                            {std::vector<std::string>{}, std::vector<std::string>{"user@*.service"}}},
                           [this](Result<MessageReader> answer) { take_units(std::move(answer)); });
    if (!asked) report(asked.error());
}

void UserManagers::take_units(Result<MessageReader> answer) {
    if (!answer) return report(answer.error());
    bool stale = false;
    std::set<std::uint32_t> running;
    answer->array("(ssssssouso)", [&] {
        answer->structure("ssssssouso", [&] {
            const auto uid = uid_of(answer->string());
            answer->skip("s"); // description
            const bool masked = answer->string() == "masked";
            const auto active = answer->string();
            answer->skip("ssouso");
            if (!answer->ok() || !uid) return;
            const bool wanted = wanted_.contains(*uid);
            stale = stale || (wanted && !masked) || (masked && unmasked_.contains(*uid));
            if (wanted && active != "inactive" && active != "failed" && active != "deactivating")
                running.insert(*uid);
        });
    });
    if (!answer->ok()) return report({"systemd", "its list of units can't be understood"});
    unmasked_.clear();
    if (stale)
        reload(std::move(running));
    else
        stop(running);
}

void UserManagers::reload(std::set<std::uint32_t> running) {
    auto asked = bus_.call({kSystemd, kSystemdPath, kSystemdManager, "Reload"},
                           [this, running = std::move(running)](Result<MessageReader> answer) {
                               if (!answer) report(answer.error());
                               stop(running);
                           });
    if (!asked) report(asked.error());
}

void UserManagers::stop(const std::set<std::uint32_t>& running) {
    for (const auto uid : running) {
        if (!wanted_.contains(uid)) continue; // allowed again meanwhile
        auto asked = bus_.call(
            {kSystemd, kSystemdPath, kSystemdManager, "StopUnit", {unit_of(uid), std::string("replace")}},
            [this](Result<MessageReader> answer) {
                if (!answer) report(answer.error());
            });
        if (!asked) report(asked.error());
    }
}

Status UserManagers::remove_all(const UserManagerPaths& paths) {
    const auto recorded = read_record(paths.record);
    if (!recorded) return tl::unexpected(recorded.error());
    Status result;
    for (const auto uid : *recorded)
        if (auto removed = remove_mask(paths.units + "/" + unit_of(uid)); !removed && result)
            result = removed;
    if (result && ::unlink(paths.record.c_str()) != 0 && errno != ENOENT)
        return fail_errno(paths.record, "remove", errno);
    return result;
}

void UserManagers::report(const Error& error) const {
    if (on_error) on_error(error);
}

} // namespace escort
