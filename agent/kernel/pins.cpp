#include "kernel/pins.h"

#include "abi.h"

#include <cerrno>
#include <filesystem>
#include <linux/magic.h>
#include <memory>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace escort {

namespace {
namespace fs = std::filesystem;

const std::string kVersion = "v" + std::to_string(ESCORT_ABI);
constexpr const char* kBuildPrefix = "build-";

Status make_folder(const std::string& path) {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno(path, "create", errno);
    return {};
}
} // namespace

Status prepare_pins(const std::string& pins, unsigned abi) {
    if (auto made = make_folder(pins); !made) return made;
    struct statfs filesystem {};
    if (::statfs(pins.c_str(), &filesystem) != 0) return fail_errno(pins, "statfs", errno);
    if (static_cast<unsigned long>(filesystem.f_type) != static_cast<unsigned long>(BPF_FS_MAGIC)) {
        ::rmdir(pins.c_str());
        return fail(pins, "is not on a BPF filesystem", "mount -t bpf bpf /sys/fs/bpf");
    }
    const std::string own = "v" + std::to_string(abi);
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(pins, error)) {
        const std::string name = entry.path().filename().string();
        if (entry.is_directory() && name != own) fs::remove_all(entry.path(), error);
        if (error) return fail(entry.path().string(), "remove: " + error.message());
    }
    for (const auto* part : {"", "/maps", "/links"})
        if (auto made = make_folder(pins + "/" + own + part); !made) return made;
    return {};
}

std::string map_pin(const std::string& pins, const std::string& map) {
    if (map == "labels") return pins + "/labels";
    return pins + "/" + kVersion + "/maps/" + map;
}

std::string link_pin(const std::string& pins, const std::string& program) {
    return pins + "/" + kVersion + "/links/" + program;
}

bool link_pinned(const std::string& pins, const std::string& program) {
    std::error_code error;
    return fs::exists(link_pin(pins, program), error);
}

Status drop_links(const std::string& pins) {
    const std::string folder = pins + "/" + kVersion + "/links";
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        fs::remove(entry.path(), error);
        if (error) return fail(entry.path().string(), "detach: " + error.message());
    }
    return {};
}

std::string read_build(const std::string& pins) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(pins + "/" + kVersion, error)) {
        const std::string name = entry.path().filename().string();
        if (name.starts_with(kBuildPrefix)) return name.substr(std::string(kBuildPrefix).size());
    }
    return {};
}

Status write_build(const std::string& pins, const std::string& build) {
    const std::string folder = pins + "/" + kVersion + "/";
    if (const std::string old = read_build(pins); !old.empty())
        ::rmdir((folder + kBuildPrefix + old).c_str());
    return make_folder(folder + kBuildPrefix + build);
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
