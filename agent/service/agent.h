// The agent's parts, put together by the daemon and seen as one by those who answer questions about it.
#pragma once

#include "approvals/store.h"
#include "kernel/programs.h"
#include "kernel/state.h"
#include "output/journal.h"
#include "service/courier_watch.h"
#include "service/documents.h"
#include "service/event_outbox.h"
#include "service/health.h"
#include "service/local_denials.h"
#include "service/policies.h"
#include "service/rulebook.h"
#include "service/sessions.h"
#include "service/timekeeper.h"
#include "settings.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace escort {

// Everything but `events`, `sessions`, `kernel` and `programs` is always there; the last three are not where
// the kernel lacks what tier `kill` needs.
struct Agent {
    Settings settings;
    std::unique_ptr<Journal> journal;
    std::unique_ptr<Health> health;
    std::unique_ptr<Store> store;
    std::unique_ptr<LocalDenials> denials;
    std::unique_ptr<Timekeeper> time;
    std::unique_ptr<Rulebook> rulebook;
    std::unique_ptr<NssClient> nss;
    std::unique_ptr<Policies> policies;
    std::unique_ptr<Documents> documents;
    std::unique_ptr<CourierWatch> courier;
    std::unique_ptr<EventOutbox> events; // where a source takes them
    std::unique_ptr<Programs> programs;
    std::unique_ptr<KernelState> kernel;
    std::unique_ptr<Sessions> sessions;

    std::string tier = "none";          // "kill" once the canary has died
    std::int64_t started = 0;           // seconds since the epoch
    std::function<void()> reload_trust; // reads trust.d and the issuers again
};

} // namespace escort
