#include "process/folder_watch.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/fanotify.h>
#include <unistd.h>

namespace escort {

namespace {

constexpr std::uint64_t kChanges = FAN_MODIFY | FAN_CLOSE_WRITE | FAN_MOVED_TO | FAN_MOVED_FROM | FAN_DELETE;
// Tens of events in one read; more wait in the kernel's queue, which is bounded.
constexpr std::size_t kBuffer = 8192;

// A piece of information that follows an event's fixed part.
template <typename Info>
Info info_at(const char* at) {
    Info info{};
    std::memcpy(&info, at, sizeof info);
    return info;
}

FolderChange change_of(const char* event, const fanotify_event_metadata& fixed) {
    FolderChange change;
    change.pid = fixed.pid;
    const char* const end = event + fixed.event_len;
    for (const char* at = event + fixed.metadata_len; at + sizeof(fanotify_event_info_header) <= end;) {
        const auto header = info_at<fanotify_event_info_header>(at);
        if (header.len < sizeof header || at + header.len > end) break;
        if (header.info_type == FAN_EVENT_INFO_TYPE_PIDFD) {
            change.pidfd = Fd(info_at<fanotify_event_info_pidfd>(at).pidfd);
        } else if (header.info_type == FAN_EVENT_INFO_TYPE_DFID_NAME) {
            // The folder's handle, then the file's name with its NUL (fanotify(7)).
            const char* const handle = at + sizeof(fanotify_event_info_fid);
            const auto fixed_part = info_at<file_handle>(handle);
            const char* const name = handle + sizeof(file_handle) + fixed_part.handle_bytes;
            if (name < at + header.len)
                change.file.assign(name, ::strnlen(name, static_cast<std::size_t>(at + header.len - name)));
        }
        at += header.len;
    }
    return change;
}

} // namespace

FolderWatch::FolderWatch(std::string folder, Changed changed)
    : folder_(std::move(folder)), changed_(std::move(changed)) {}

FolderWatch::~FolderWatch() {
    sd_event_source_disable_unref(source_);
}

Result<std::unique_ptr<FolderWatch>> FolderWatch::open(sd_event* loop, std::string folder, Watched watched,
                                                       Changed changed) {
    std::unique_ptr<FolderWatch> watch(new FolderWatch(std::move(folder), std::move(changed)));
    const std::string& path = watch->folder_;
    watch->events_ = Fd(::fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_DFID_NAME |
                                            FAN_REPORT_PIDFD,
                                        O_RDONLY | O_CLOEXEC));
    if (!watch->events_.valid()) return fail_errno(path, "watch", errno);
    watch->watched_ = watched;
    if (auto marked = watch->mark(); !marked) return tl::unexpected(marked.error());
    const int added =
        sd_event_add_io(loop, &watch->source_, watch->events_.get(), EPOLLIN, on_readable, watch.get());
    if (added < 0) return fail_errno(path, "watch", -added);
    return watch;
}

Status FolderWatch::mark() const {
    const std::uint64_t changes = watched_ == Watched::entries ? kChanges | FAN_CREATE | FAN_ONDIR : kChanges;
    if (::fanotify_mark(events_.get(), FAN_MARK_ADD | FAN_MARK_ONLYDIR, changes | FAN_EVENT_ON_CHILD,
                        AT_FDCWD, folder_.c_str()) != 0)
        return fail_errno(folder_, "watch", errno);
    return {};
}

int FolderWatch::on_readable(sd_event_source*, int, std::uint32_t, void* self) {
    static_cast<FolderWatch*>(self)->read_events();
    return 0;
}

void FolderWatch::read_events() {
    alignas(fanotify_event_metadata) std::array<char, kBuffer> buffer{};
    const ssize_t got = ::read(events_.get(), buffer.data(), buffer.size());
    if (got <= 0) return;
    const char* at = buffer.data();
    auto left = static_cast<std::size_t>(got);
    while (left >= sizeof(fanotify_event_metadata)) {
        const auto fixed = info_at<fanotify_event_metadata>(at);
        if (fixed.event_len < sizeof fixed || fixed.event_len > left) break;
        FolderChange change = change_of(at, fixed);
        change.folder = folder_;
        change.lost = (fixed.mask & FAN_Q_OVERFLOW) != 0;
        if (change.lost || (fixed.pid != ::getpid() && (fixed.mask & (kChanges | FAN_CREATE)) != 0))
            changed_(change);
        at += fixed.event_len;
        left -= fixed.event_len;
    }
}

} // namespace escort
