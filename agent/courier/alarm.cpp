#include "courier/alarm.h"

#include <ctime>

namespace escort::courier {

bool Alarm::in_ms(std::uint64_t ms) {
    constexpr std::uint64_t kAccuracyUs = 5'000;
    sd_event_source* source = nullptr;
    const int error =
        sd_event_add_time_relative(loop_, &source, CLOCK_BOOTTIME, ms * 1000, kAccuracyUs, on_time, this);
    source_.reset(error < 0 ? nullptr : source);
    return error >= 0;
}

int Alarm::on_time(sd_event_source*, std::uint64_t, void* self) {
    auto& alarm = *static_cast<Alarm*>(self);
    alarm.source_.reset(); // before it rings: it may be set again then
    alarm.rings_();
    return 0;
}

} // namespace escort::courier
