#include "sandbox/capabilities.h"

#include <cap-ng.h>
#include <cerrno>
#include <string>

namespace escort {

Status keep_capabilities(std::span<const Capability> kept) {
    if (capng_get_caps_process() != 0) return fail("capabilities", "can't be read");
    for (const auto& each : kept)
        if (capng_have_capability(CAPNG_EFFECTIVE, each.number) == 0)
            return fail("capabilities",
                        "cap_" + std::string(capng_capability_to_name(each.number)) + " is missing",
                        std::string("needed: ") + each.reason);
    capng_clear(CAPNG_SELECT_ALL);
    const auto all = static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET);
    for (const auto& each : kept)
        if (capng_update(CAPNG_ADD, all, each.number) != 0) return fail("capabilities", "no such capability");
    // The bounding set first: it needs CAP_SETPCAP, which goes with the rest.
    if (capng_apply(CAPNG_SELECT_BOUNDS) != 0) return fail_errno("capabilities", "bounding set", errno);
    if (capng_apply(CAPNG_SELECT_CAPS) != 0) return fail_errno("capabilities", "drop", errno);
    return {};
}

Status drop_capabilities() {
    capng_clear(CAPNG_SELECT_CAPS);
    if (capng_apply(CAPNG_SELECT_CAPS) != 0) return fail_errno("capabilities", "drop", errno);
    return {};
}

} // namespace escort
