#include "sandbox/sandbox.h"

#include "sandbox/capabilities.h"
#include "sandbox/filter.h"

namespace escort {

Status enter_sandbox() {
    return keep_capabilities(kDaemonCapabilities).and_then([] { return load_filter(); });
}

} // namespace escort
