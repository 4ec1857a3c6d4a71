#include "sandbox/sandbox.h"

#include "sandbox/capabilities.h"
#include "sandbox/filter.h"

#include <cerrno>
#include <sys/prctl.h>

namespace escort {

Status enter_sandbox() {
    return keep_capabilities(kDaemonCapabilities).and_then([] { return load_filter(); });
}

Status enter_helper_sandbox() {
    if (auto dropped = drop_capabilities(); !dropped) return dropped;
    // Refused from inside: then the filter in force is the daemon's own, and there is nothing to add.
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 && errno == EPERM) return {};
    return load_filter();
}

} // namespace escort
