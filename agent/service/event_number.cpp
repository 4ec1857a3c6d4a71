#include "service/event_number.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace escort {

namespace {

constexpr std::size_t kDigits = 20; // of a 64-bit number: the file never changes its size

} // namespace

EventNumber::EventNumber(std::string path) : path_(std::move(path)) {
    open();
    std::array<char, kDigits> digits{};
    const ssize_t got = file_.valid() ? ::pread(file_.get(), digits.data(), digits.size(), 0) : -1;
    if (got > 0) std::from_chars(digits.data(), digits.data() + got, next_);
    next_ = std::max<std::uint64_t>(next_, 1);
}

void EventNumber::open() {
    file_ = Fd(::open(path_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
}

std::uint64_t EventNumber::take() {
    const std::uint64_t taken = next_++;
    (void)keep(); // who writes the event asks once more
    return taken;
}

void EventNumber::at_least(std::uint64_t next) {
    next_ = std::max(next_, next);
}

Status EventNumber::keep() {
    struct stat ours {
    }, there{};
    const bool same = file_.valid() && ::fstat(file_.get(), &ours) == 0 &&
                      ::lstat(path_.c_str(), &there) == 0 && ours.st_ino == there.st_ino &&
                      ours.st_dev == there.st_dev;
    if (!same) open(); // it was removed, or another put in its place
    if (!file_.valid()) return fail_errno(path_, "open", errno);
    const std::string text = fmt::format("{:0{}}\n", next_, kDigits);
    const ssize_t put = ::pwrite(file_.get(), text.data(), text.size(), 0);
    if (put != static_cast<ssize_t>(text.size())) return fail_errno(path_, "write", put < 0 ? errno : EIO);
    return {};
}

} // namespace escort
