// The module's side of the gate socket: one question, one answer, in bounded time. Never blocks longer,
// raises no signal, keeps nothing.
#pragma once

#include "gate/protocol.h"

#include <chrono>
#include <string>

namespace escort::gate {

// Asks the daemon at the socket `path` about the calling process, and again where it can't be reached or
// closes without an answer (it restarts, it is busy), until `time` is over. An error says why there was no
// answer.
[[nodiscard]] Result<GateAnswer> ask(const std::string& path, const GateRequest& request,
                                     std::chrono::milliseconds time);

} // namespace escort::gate
