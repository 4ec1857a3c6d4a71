#include "kernel/events.h"

#include <cstring>

namespace escort {

namespace {

// The kernel copies names that fill their arrays whole, without a NUL.
template <std::size_t size>
void end_text(char (&text)[size]) {
    text[size - 1] = '\0';
}

} // namespace

std::optional<escort_event> decode_event(const void* record, std::size_t size) {
    escort_event event;
    if (record == nullptr || size != sizeof event) return std::nullopt;
    std::memcpy(&event, record, sizeof event);
    if (event.abi != ESCORT_ABI) return std::nullopt;
    end_text(event.comm);
    end_text(event.exe);
    end_text(event.tty);
    end_text(event.cgroup);
    end_text(event.cgroup_parent);
    return event;
}

} // namespace escort
