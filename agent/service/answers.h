// What the agent knows, as the JSON that escortctl and scripts rely on (contract §2). Pure: reads the parts,
// changes nothing.
#pragma once

#include "service/agent.h"

#include <nlohmann/json.hpp>

namespace escort {

[[nodiscard]] nlohmann::json status_json(const Agent& agent);
// `processes`: alive now. `whole`: with what only `session ID` shows.
[[nodiscard]] nlohmann::json session_json(const Agent& agent, const Session& session, std::size_t processes,
                                          bool whole);
[[nodiscard]] nlohmann::json approvals_json(const Agent& agent);
// The lists in force with their raw bytes, so that the embedded broker can make the next one.
[[nodiscard]] nlohmann::json documents_json(const Agent& agent);
[[nodiscard]] nlohmann::json verdict_json(const Verdict& verdict);

} // namespace escort
