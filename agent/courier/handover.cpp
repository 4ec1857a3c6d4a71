#include "courier/handover.h"

#include "approvals/key.h"
#include "base/file.h"

#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace escort::courier {

namespace {

constexpr std::string_view kPrefix = "courier-";
constexpr std::string_view kHalf = ".courier-"; // the daemon takes no name that begins with a dot

} // namespace

Status Handover::open() {
    std::error_code error;
    std::filesystem::directory_iterator entries(spool_, error);
    for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
        const std::string name = entries->path().filename().string();
        if (name.starts_with(kHalf)) ::unlink(entries->path().c_str());
        if (!name.starts_with(kPrefix)) continue;
        struct stat info {};
        if (::lstat(entries->path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
        waiting_[name] = static_cast<std::size_t>(info.st_size);
        waiting_bytes_ += static_cast<std::size_t>(info.st_size);
    }
    if (error) return fail(spool_, "list: " + error.message(), "systemd-tmpfiles --create escortd.conf");
    return {};
}

Status Handover::make_room(std::size_t bytes) {
    const auto full = [&] { return waiting_.size() >= kMostWaiting || waiting_bytes_ + bytes > kMostBytes; };
    if (!full()) return {};
    for (auto each = waiting_.begin(); each != waiting_.end();) {
        if (::access((spool_ + "/" + each->first).c_str(), F_OK) == 0) {
            ++each;
            continue;
        }
        waiting_bytes_ -= each->second;
        each = waiting_.erase(each);
    }
    if (!full()) return {};
    return fail(spool_, "is full: " + std::to_string(waiting_.size()) + " documents wait for the daemon",
                "systemctl status escortd");
}

Result<bool> Handover::put(std::string_view document, Durable durable) {
    const std::string hash = sha256_hex(document);
    if (hash.empty()) return fail("document", "no SHA-256: " + openssl_error());
    const auto before = remembered_.find(hash);
    if (before != remembered_.end() && before->second >= durable) return false;
    if (auto room = make_room(document.size()); !room) return tl::unexpected(room.error());
    const std::string name = std::string(kPrefix) + hash.substr(0, 32) + ".jws";
    const std::string half = spool_ + "/" + std::string(kHalf) + hash.substr(0, 32);
    const Sync sync = durable == Durable::yes ? Sync::yes : Sync::no;
    if (auto placed = place_file(half, spool_ + "/" + name, document, 0600, sync); !placed)
        return tl::unexpected(placed.error());
    if (waiting_.emplace(name, document.size()).second) waiting_bytes_ += document.size();
    if (durable == Durable::yes)
        if (auto synced = sync_folder(spool_); !synced) return tl::unexpected(synced.error());
    if (remembered_.insert_or_assign(hash, durable).second) order_.push_back(hash);
    if (order_.size() > kRemembered) {
        remembered_.erase(order_.front());
        order_.pop_front();
    }
    return true;
}

} // namespace escort::courier
