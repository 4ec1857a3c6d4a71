#include "approvals/lease_folder.h"

#include "approvals/key.h"
#include "base/file.h"

#include <chrono>
#include <filesystem>
#include <unistd.h>

namespace escort {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLeaseBytes = 64UL * 1024; // six claims of at most 1 KiB each, signed
constexpr std::string_view kSuffix = ".jws";
constexpr std::size_t kShaDigits = 64;

std::int64_t age_of(const fs::path& path) {
    std::error_code error;
    const auto written = fs::last_write_time(path, error);
    if (error) return 0;
    return std::chrono::duration_cast<std::chrono::seconds>(fs::file_time_type::clock::now() - written)
        .count();
}

} // namespace

std::string LeaseFolder::path_of(const std::string& sha256) const {
    return folder_ + "/" + sha256 + std::string(kSuffix);
}

Status LeaseFolder::create() const {
    std::error_code error;
    fs::create_directory(folder_, error);
    if (error) return fail(folder_, "create: " + error.message());
    fs::permissions(folder_, fs::perms::owner_all, error);
    return {};
}

Result<std::vector<KeptLease>> LeaseFolder::read() const {
    std::error_code error;
    std::vector<KeptLease> found;
    std::vector<std::string> litter;
    for (fs::directory_iterator it(folder_, error); !error && it != fs::directory_iterator();
         it.increment(error)) {
        const std::string name = it->path().filename().string();
        if (name.size() == kShaDigits + kSuffix.size() && name.ends_with(kSuffix))
            found.push_back({it->path().string(), name.substr(0, kShaDigits), "", age_of(it->path())});
        else
            litter.push_back(it->path().string());
    }
    if (error) return fail(folder_, "list: " + error.message());
    for (const std::string& path : litter)
        ::unlink(path.c_str());
    for (KeptLease& lease : found) {
        auto raw = read_file(lease.path, kLeaseBytes);
        if (raw && sha256_hex(*raw) == lease.sha256) lease.raw = std::move(*raw);
    }
    return found;
}

Status LeaseFolder::write(const std::string& sha256, std::string_view raw) const {
    if (raw.size() > kLeaseBytes) return fail(path_of(sha256), "is too large for a lease");
    return write_file_atomically(path_of(sha256), raw, 0600);
}

void LeaseFolder::remove(const std::string& sha256) const {
    ::unlink(path_of(sha256).c_str());
}

} // namespace escort
