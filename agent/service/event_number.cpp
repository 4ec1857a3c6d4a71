#include "service/event_number.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace escort {

namespace {

constexpr std::size_t kDigits = 20; // of a 64-bit number: the file never changes its size

} // namespace

EventNumber::EventNumber(std::string path)
    : path_(std::move(path)),
      file_(::open(path_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600)) {
    std::array<char, kDigits> digits{};
    const ssize_t got = file_.valid() ? ::pread(file_.get(), digits.data(), digits.size(), 0) : -1;
    if (got > 0) std::from_chars(digits.data(), digits.data() + got, next_);
    next_ = std::max<std::uint64_t>(next_, 1);
    keep();
}

std::uint64_t EventNumber::take() {
    const std::uint64_t taken = next_++;
    keep();
    return taken;
}

void EventNumber::at_least(std::uint64_t next) {
    if (next <= next_) return;
    next_ = next;
    keep();
}

void EventNumber::keep() {
    const std::string text = fmt::format("{:0{}}\n", next_, kDigits);
    kept_ = {};
    if (!file_.valid() ||
        ::pwrite(file_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
        kept_ = fail_errno(path_, "write", file_.valid() ? errno : EBADF);
}

} // namespace escort
