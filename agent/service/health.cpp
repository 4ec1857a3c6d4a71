#include "service/health.h"

#include "output/records.h"

namespace escort {

void Health::degrade(const std::string& what, const std::string& why, const std::string& hint) {
    const auto found = conditions_.find(what);
    if (found != conditions_.end() && found->second.why == why) return;
    conditions_.insert_or_assign(what, Condition{why, hint});
    last_error_ = what + ": " + why;
    journal_.write(agent_degraded(what, why, hint));
}

} // namespace escort
