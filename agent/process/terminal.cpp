#include "process/terminal.h"

#include "base/file.h"
#include "base/moment.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace escort {

namespace {

constexpr unsigned kPtsMajor = 136; // Documentation/admin-guide/devices.txt: Unix98 PTY slaves
constexpr std::size_t kNameBytes = 32;

std::string device(const std::string& name) {
    return "/dev/" + name;
}

bool digits(std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool alphanumeric(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    });
}

// Does /dev/pts mean the same file system to both? Every devpts numbers its terminals from 0.
bool same_devpts(pid_t pid) {
    struct stat ours {
    }, theirs{};
    const std::string path = "/proc/" + std::to_string(pid) + "/root/dev/pts";
    return ::stat("/dev/pts", &ours) == 0 && ::stat(path.c_str(), &theirs) == 0 &&
           ours.st_dev == theirs.st_dev;
}

// DEVNAME of a terminal that sysfs knows: all but the pseudo terminals.
std::string sysfs_name(std::uint32_t number) {
    const auto text = read_file("/sys/dev/char/" + std::to_string(major(number)) + ":" +
                                    std::to_string(minor(number)) + "/uevent",
                                4096);
    if (!text) return {};
    const auto line = text->find("DEVNAME=");
    if (line == std::string::npos) return {};
    return text->substr(line + 8, text->find('\n', line) - line - 8);
}

} // namespace

bool is_terminal_name(std::string_view name) {
    if (name.size() > kNameBytes) return false;
    if (name.starts_with("pts/")) return digits(name.substr(4));
    for (const std::string_view kind : {"tty", "hvc", "xvc", "console", "sclp_line", "3270/tty"})
        if (name.starts_with(kind)) return alphanumeric(name.substr(kind.size())) && name != "tty";
    return false;
}

std::optional<std::string> terminal_of(const Process& process) {
    const auto facts = process.facts();
    if (!facts || facts->tty == 0) return std::nullopt;
    std::string name;
    if (major(facts->tty) == kPtsMajor) {
        if (!same_devpts(facts->pid)) return std::nullopt;
        name = "pts/" + std::to_string(minor(facts->tty));
    } else {
        name = sysfs_name(facts->tty);
    }
    struct stat info {};
    if (!is_terminal_name(name) || ::lstat(device(name).c_str(), &info) != 0) return std::nullopt;
    if (!S_ISCHR(info.st_mode) || info.st_rdev != facts->tty || !process.alive()) return std::nullopt;
    return name;
}

Result<std::uint64_t> terminal_idle_ns(const std::string& name, std::int64_t now) {
    const std::string path = device(name);
    if (!is_terminal_name(name)) return fail(name, "is not a terminal's name");
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) return fail_errno(path, "stat", errno);
    if (!S_ISCHR(info.st_mode)) return fail(path, "is not a terminal");
    if (info.st_atim.tv_sec >= now) return 0;
    return static_cast<std::uint64_t>(now - info.st_atim.tv_sec) * kNsPerSecond;
}

Status write_line(const std::string& name, std::string_view text) {
    const std::string path = device(name);
    if (!is_terminal_name(name)) return fail(name, "is not a terminal's name");
    const Fd fd(::open(path.c_str(), O_WRONLY | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
    if (!fd.valid()) return fail_errno(path, "open", errno);
    if (::isatty(fd.get()) == 0) return fail(path, "is not a terminal");
    std::string line(text.substr(0, kTerminalLine));
    std::replace_if(
        line.begin(), line.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    line = "\r\n" + line + "\r\n";
    const ssize_t put = ::write(fd.get(), line.data(), line.size());
    if (put < 0) return fail_errno(path, "write", errno);
    if (static_cast<std::size_t>(put) != line.size()) return fail(path, "took only a part of the line");
    return {};
}

} // namespace escort
