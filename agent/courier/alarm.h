// One-shot timers on CLOCK_BOOTTIME: a suspended machine has waited, too.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <systemd/sd-event.h>

namespace escort::courier {

struct UnrefSource {
    void operator()(sd_event_source* source) const { sd_event_source_disable_unref(source); }
};
using EventSource = std::unique_ptr<sd_event_source, UnrefSource>;

class Alarm {
  public:
    // `loop` must outlive this.
    Alarm(sd_event* loop, std::function<void()> rings) : loop_(loop), rings_(std::move(rings)) {}
    Alarm(const Alarm&) = delete;
    Alarm& operator=(const Alarm&) = delete;

    // Rings once, in so many milliseconds; what was set before is forgotten. False: the loop takes no timer.
    bool in_ms(std::uint64_t ms);
    void off() { source_.reset(); }

  private:
    static int on_time(sd_event_source*, std::uint64_t, void* self);

    sd_event* loop_;
    std::function<void()> rings_;
    EventSource source_;
};

} // namespace escort::courier
