#include "kernel/pins.h"

#include "abi.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <linux/magic.h>
#include <openssl/evp.h>
#include <string_view>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace escort {

namespace {
namespace fs = std::filesystem;

const std::string kVersion = "v" + std::to_string(ESCORT_ABI);
constexpr std::array<std::string_view, 3> kShared{"labels", "groups", "owner"};

Status make_folder(const std::string& path) {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno(path, "create", errno);
    return {};
}

bool is_bpffs(const std::string& path) {
    struct statfs filesystem {};
    return ::statfs(path.c_str(), &filesystem) == 0 &&
           static_cast<unsigned long>(filesystem.f_type) == static_cast<unsigned long>(BPF_FS_MAGIC);
}
} // namespace

Status prepare_pins(const std::string& pins) {
    if (auto made = make_folder(pins); !made) return made;
    if (!is_bpffs(pins)) {
        ::rmdir(pins.c_str());
        return fail(pins, "is not on a BPF filesystem", "mount -t bpf bpf /sys/fs/bpf");
    }
    for (const auto& folder : {"/" + kVersion, "/" + kVersion + "/maps", std::string("/sets")})
        if (auto made = make_folder(pins + folder); !made) return made;
    return {};
}

std::string map_pin(const std::string& pins, const std::string& map) {
    for (const auto shared : kShared)
        if (map == shared) return pins + "/" + map;
    return pins + "/" + kVersion + "/maps/" + map;
}

std::vector<std::string> other_versions(const std::string& pins) {
    std::vector<std::string> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(pins, error)) {
        const std::string name = entry.path().filename().string();
        if (entry.is_directory(error) && name.starts_with('v') && name != kVersion)
            found.push_back(entry.path().string());
    }
    return found;
}

PinnedSet pinned_set(const std::string& pins, std::uint64_t generation, const std::string& build) {
    return {generation, build, pins + "/sets/" + std::to_string(generation) + "-" + build};
}

std::vector<PinnedSet> pinned_sets(const std::string& pins) {
    std::vector<PinnedSet> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(pins + "/sets", error)) {
        const std::string name = entry.path().filename().string();
        std::uint64_t generation = 0;
        const auto [end, bad] = std::from_chars(name.data(), name.data() + name.size(), generation);
        if (bad != std::errc() || end == name.data() + name.size() || *end != '-') continue;
        found.push_back(pinned_set(pins, generation, std::string(end + 1)));
    }
    return found;
}

std::optional<std::uint64_t> pin_inode(const std::string& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
    return info.st_ino;
}

Status remove_pins(const std::string& folder) {
    std::error_code error;
    fs::remove_all(folder, error);
    if (error) return fail(folder, "remove: " + error.message());
    return {};
}

std::string content_hash(const void* data, std::size_t size) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    static constexpr char kHex[] = "0123456789abcdef";
    if (EVP_Digest(data, size, digest, &length, EVP_sha256(), nullptr) != 1) return {};
    std::string text;
    for (unsigned i = 0; i < 8 && i < length; i++) {
        text += kHex[digest[i] >> 4];
        text += kHex[digest[i] & 15];
    }
    return text;
}

} // namespace escort
