#include "enforce/frozen_cgroup.h"

#include "base/fd.h"

#include <cerrno>
#include <fcntl.h>
#include <string_view>
#include <sys/inotify.h>
#include <unistd.h>

namespace escort {

namespace {

Status write_freeze(const std::string& folder, const char* value) {
    const std::string file = folder + "/cgroup.freeze";
    const Fd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd.valid() || ::write(fd.get(), value, 1) != 1) return fail_errno(file, "write", errno);
    return {};
}

} // namespace

Result<std::unique_ptr<FrozenCgroup>> FrozenCgroup::start(std::string folder, sd_event* loop,
                                                          std::function<void()> changed) {
    std::unique_ptr<FrozenCgroup> held(new FrozenCgroup(std::move(folder), std::move(changed)));
    // Watched before it is asked: the answer can't be missed.
    const std::string events = held->folder_ + "/cgroup.events";
    const int added =
        sd_event_add_inotify(loop, &held->source_, events.c_str(), IN_MODIFY, on_events, held.get());
    if (added < 0) return fail_errno(events, "watch", -added);
    sd_event_source_set_priority(held->source_, SD_EVENT_PRIORITY_IMPORTANT);
    if (auto written = write_freeze(held->folder_, "1"); !written) return tl::unexpected(written.error());
    return held;
}

FrozenCgroup::~FrozenCgroup() {
    sd_event_source_disable_unref(source_);
}

int FrozenCgroup::on_events(sd_event_source*, const struct inotify_event*, void* self) {
    auto& held = *static_cast<FrozenCgroup*>(self);
    // Thawed by somebody else, or not there yet: asking twice does no harm.
    if (!held.still()) (void)write_freeze(held.folder_, "1");
    const auto changed = held.changed_; // a copy: the call may destroy `held`
    changed();
    return 0;
}

bool FrozenCgroup::still() const {
    const Fd fd(::open((folder_ + "/cgroup.events").c_str(), O_RDONLY | O_CLOEXEC));
    char buffer[256];
    const ssize_t got = fd.valid() ? ::read(fd.get(), buffer, sizeof buffer) : -1;
    if (got < 0) return true;
    return std::string_view(buffer, static_cast<std::size_t>(got)).find("frozen 1") != std::string_view::npos;
}

bool FrozenCgroup::holds(const std::string& folder) const {
    return folder == folder_ || folder.starts_with(folder_ + "/");
}

void FrozenCgroup::thaw() {
    source_ = sd_event_source_disable_unref(source_); // no longer frozen again when it changes
    (void)write_freeze(folder_, "0");                 // fails only when it is gone
}

} // namespace escort
