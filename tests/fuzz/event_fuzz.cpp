// Records of the kernel's lifecycle ring. Whatever the bytes: every text ends, and nothing of another ABI is
// read.
#include "fuzz.h"

#include "kernel/events.h"

#include <algorithm>
#include <cstring>
#include <vector>

using namespace escort;

namespace {

template <std::size_t size>
bool ends(const char (&text)[size]) {
    return std::memchr(text, '\0', size) != nullptr;
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::vector<std::uint8_t> record(data, data + size); // its own memory: ASan sees every byte past it
    const auto event = decode_event(record.data(), record.size());
    std::uint32_t abi = 0;
    std::memcpy(&abi, data, std::min(size, sizeof abi));
    fuzz::must(event.has_value() == (size == sizeof(escort_event) && abi == ESCORT_ABI),
               "a record of this ABI is read, and no other");
    if (!event) return 0;
    fuzz::must(ends(event->comm) && ends(event->exe) && ends(event->tty) && ends(event->cgroup) &&
                   ends(event->cgroup_parent),
               "every text ends");
    fuzz::must(std::memcmp(data, &*event, offsetof(escort_event, comm)) == 0, "numbers are the kernel's");
    return 0;
}
