#include "output/journal.h"

#include "output/records.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace escort {

namespace {

// A sealed memory file with the datagram: how the protocol carries what is too large for the socket.
Fd sealed_copy(const std::string& datagram) {
    Fd file(::memfd_create("escortd-record", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file.valid()) return file;
    std::size_t written = 0;
    while (written < datagram.size()) {
        const ssize_t put = ::write(file.get(), datagram.data() + written, datagram.size() - written);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return {};
        written += static_cast<std::size_t>(put);
    }
    const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    if (::fcntl(file.get(), F_ADD_SEALS, seals) != 0) return {};
    return file;
}

// So much of the queue a record may find full. What sessions run, and what strangers put into the spool, must
// not push verdicts out; a flood of refused starts must not push out what is rare: the rest, and the sessions
// that a broker has approved.
std::size_t quarters_of(const Record& record) {
    switch (record.event) {
    case Event::session_exec:
    case Event::document_refused:
        return 2;
    case Event::session_opened:
    case Event::session_approved:
    case Event::session_denied:
    case Event::session_killed:
    case Event::session_ended:
        return record.fields.contains(Field::approval) ? 4 : 3;
    default:
        return 4;
    }
}

} // namespace

Journal::Journal(Context context, std::string socket_path)
    : context_(std::move(context)), path_(std::move(socket_path)) {}

Status Journal::attach(sd_event* loop) {
    sd_event_source* source = nullptr;
    int error = sd_event_add_time_relative(loop, &source, CLOCK_MONOTONIC, 0, 0, on_timer, this);
    if (error < 0) return fail_errno("journal", "timer", -error);
    timer_.reset(source);
    error = sd_event_source_set_enabled(source, SD_EVENT_OFF);
    if (error < 0) return fail_errno("journal", "timer", -error);
    loop_ = loop;
    arm();
    return {};
}

bool Journal::write(const Record& record) {
    if (on_record) on_record(record, context_);
    std::string datagram = encode(record, context_);
    flush(); // what waits goes first
    if (queue_.empty() && send(datagram) == Sent::yes) return true;
    const std::size_t quarters = quarters_of(record);
    const bool full = queue_.size() >= kQueueRecords / 4 * quarters ||
                      queue_bytes_ + datagram.size() > kQueueBytes / 4 * quarters;
    if (full) {
        ++dropped_;
        ++dropped_unreported_;
    } else {
        queue_bytes_ += datagram.size();
        queue_.push_back(std::move(datagram));
    }
    arm();
    return !full;
}

void Journal::flush() {
    while (!queue_.empty() && send(queue_.front()) == Sent::yes) {
        queue_bytes_ -= queue_.front().size();
        queue_.pop_front();
    }
    if (queue_.empty()) report_dropped();
}

void Journal::report_dropped() {
    if (dropped_unreported_ == 0) return;
    if (send(encode(events_dropped(dropped_unreported_, DropPlace::journal), context_)) == Sent::yes)
        dropped_unreported_ = 0;
}

Journal::Counters Journal::counters() const {
    return {sent_, dropped_, queue_.size()};
}

bool Journal::connect() {
    if (socket_.valid()) return true;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path_.size() >= sizeof address.sun_path) return false;
    std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
    Fd made(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!made.valid()) return false;
    if (::connect(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return false;
    socket_ = std::move(made);
    return true;
}

Journal::Sent Journal::send(const std::string& datagram) {
    // Twice: journald's socket unit may have been restarted, then the old connection is refused.
    for (int attempt = 0; attempt < 2 && connect(); ++attempt) {
        const ssize_t put =
            ::send(socket_.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put >= 0) {
            ++sent_;
            return Sent::yes;
        }
        if (errno == EMSGSIZE || errno == ENOBUFS) return send_large(datagram);
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return Sent::later;
        room_.reset();
        socket_.reset();
    }
    return Sent::later;
}

Journal::Sent Journal::send_large(const std::string& datagram) {
    const Fd file = sealed_copy(datagram);
    if (!file.valid()) return Sent::later;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int fd = file.get();
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    if (::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return Sent::later;
    ++sent_;
    return Sent::yes;
}

void Journal::arm() {
    if (!timer_ || (queue_.empty() && dropped_unreported_ == 0)) return;
    watch_room();
    int enabled = SD_EVENT_OFF;
    if (sd_event_source_get_enabled(timer_.get(), &enabled) >= 0 && enabled != SD_EVENT_OFF) return;
    // A timer that can't be armed leaves the records to the next write.
    const auto delay = std::chrono::duration_cast<std::chrono::microseconds>(kRetry).count();
    if (sd_event_source_set_time_relative(timer_.get(), static_cast<std::uint64_t>(delay)) >= 0)
        (void)sd_event_source_set_enabled(timer_.get(), SD_EVENT_ONESHOT);
}

// A connected datagram socket becomes writable when its receiver has taken something (unix_dgram_poll()).
void Journal::watch_room() {
    if (!socket_.valid()) return;
    if (!room_) {
        sd_event_source* source = nullptr;
        if (sd_event_add_io(loop_, &source, socket_.get(), EPOLLOUT, on_room, this) < 0) return;
        room_.reset(source);
    }
    (void)sd_event_source_set_enabled(room_.get(), SD_EVENT_ONESHOT);
}

void Journal::retry() {
    flush();
    arm();
    if (queue_.empty() && on_drained) on_drained();
}

int Journal::on_timer(sd_event_source*, std::uint64_t, void* self) {
    static_cast<Journal*>(self)->retry();
    return 0;
}

int Journal::on_room(sd_event_source*, int, std::uint32_t, void* self) {
    static_cast<Journal*>(self)->retry();
    return 0;
}

} // namespace escort
