#include "output/event.h"

#include <array>

namespace escort {

namespace {

// In the order of the enum; packaging/journal/escortd.catalog has an entry for each.
constexpr std::array<EventInfo, kEventCount> kEvents{{
    {Event::session_opened, "session_opened", "5dec74e04224417cb8c2030aa77fee9d", Priority::info},
    {Event::session_approved, "session_approved", "a9513b803a0b48359a35b83ce7c0822f", Priority::notice},
    {Event::session_denied, "session_denied", "e63ab5e96e604f54bcbcc89d50f48a4e", Priority::warning},
    {Event::session_killed, "session_killed", "17fa0b4be77040ee9e9a4afb9dc8ee30", Priority::warning},
    {Event::session_frozen, "session_frozen", "7b3cf188b8014a9b87f4fbb13bfc8644", Priority::warning},
    {Event::session_thawed, "session_thawed", "fdae0a088f4c4f41bc3c7a71e037d312", Priority::notice},
    {Event::session_ended, "session_ended", "bba29f2403ec4587867f4a454684f328", Priority::info},
    {Event::session_exec, "session_exec", "528e7f6d73c74a449f759dd4101a91e0", Priority::info},
    {Event::restriction_hit, "restriction_hit", "7e301f63eee14e7db1941d399ff3c013", Priority::warning},
    {Event::document_accepted, "document_accepted", "bb41b745a5bd46c5a4119828a534ffff", Priority::info},
    {Event::document_refused, "document_refused", "f04e7b15b41c44cdba3f74253c18ec07", Priority::warning},
    {Event::policy_loaded, "policy_loaded", "db10e27dc29f4ffa801c9618043efe9c", Priority::notice},
    {Event::policy_refused, "policy_refused", "cdf53a83e79644d58c4908b064fa77ed", Priority::error},
    {Event::approval_revoked, "approval_revoked", "072e9d83957d410cbedabad2dd9c3be6", Priority::notice},
    {Event::presence_changed, "presence_changed", "ee8e69e19f3344fe9c3546425202a982", Priority::info},
    {Event::trust_changed, "trust_changed", "d99a5a64f62a474587d5fe71c63de6db", Priority::warning},
    {Event::break_glass_used, "break_glass_used", "9043171881934ca0bca90808754800b6", Priority::alert},
    {Event::operator_act, "operator_act", "a0ac558fea374403b5dc4a3bae6c1640", Priority::notice},
    {Event::agent_started, "agent_started", "a88f4e6bfa2a4326b1b77c2e92e8c3ed", Priority::notice},
    {Event::agent_stopped, "agent_stopped", "ec47e26d05644d8ab097dd16828e2485", Priority::warning},
    {Event::agent_degraded, "agent_degraded", "cf43abd4236349398cae1cb3c5f7760c", Priority::error},
    {Event::events_dropped, "events_dropped", "342496c7708441d082a0d6a8717575ed", Priority::warning},
    {Event::tamper, "tamper", "e7686c05cc2b4154afeef4983b7415fa", Priority::alert},
}};

constexpr bool in_order() {
    for (std::size_t i = 0; i < kEvents.size(); ++i)
        if (static_cast<std::size_t>(kEvents[i].event) != i) return false;
    return true;
}
static_assert(in_order());

} // namespace

const EventInfo& info(Event event) {
    return kEvents.at(static_cast<std::size_t>(event));
}

} // namespace escort
