// A cgroup held frozen (cgroup v2, Documentation/admin-guide/cgroup-v2.rst, cgroup.freeze): asked to freeze,
// heard of as an event when it has, frozen again when somebody thaws it. It knows nothing of sessions.
#pragma once

#include "base/result.h"

#include <functional>
#include <memory>
#include <string>
#include <systemd/sd-event.h>

namespace escort {

class FrozenCgroup {
  public:
    // Freezes the cgroup and calls `changed` from the loop whenever cgroup.events changes. `loop` must
    // outlive this.
    [[nodiscard]] static Result<std::unique_ptr<FrozenCgroup>> start(std::string folder, sd_event* loop,
                                                                     std::function<void()> changed);
    // Leaves it frozen: only thaw() sets it going.
    ~FrozenCgroup();
    FrozenCgroup(const FrozenCgroup&) = delete;
    FrozenCgroup& operator=(const FrozenCgroup&) = delete;

    // Every process in it and below stands still; true of one that is gone.
    [[nodiscard]] bool still() const;
    // Is this folder it, or below it?
    [[nodiscard]] bool holds(const std::string& folder) const;
    void thaw();

  private:
    FrozenCgroup(std::string folder, std::function<void()> changed)
        : folder_(std::move(folder)), changed_(std::move(changed)) {}
    static int on_events(sd_event_source* source, const struct inotify_event* event, void* self);

    std::string folder_;
    std::function<void()> changed_;
    sd_event_source* source_ = nullptr;
};

} // namespace escort
