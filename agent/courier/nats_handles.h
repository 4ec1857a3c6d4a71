// cnats' objects, owned; and its options and errors in our words.
#pragma once

#include "base/result.h"
#include "feed/settings.h"

#include <memory>
#include <nats/nats.h>
#include <string>

namespace escort::courier {

template <auto destroy>
struct Destroy {
    template <typename T>
    void operator()(T* object) const {
        destroy(object);
    }
};
using NatsOptions = std::unique_ptr<natsOptions, Destroy<natsOptions_Destroy>>;
using NatsConnection = std::unique_ptr<natsConnection, Destroy<natsConnection_Destroy>>;
using NatsSubscription = std::unique_ptr<natsSubscription, Destroy<natsSubscription_Destroy>>;
using NatsMessage = std::unique_ptr<natsMsg, Destroy<natsMsg_Destroy>>;
using JetStream = std::unique_ptr<jsCtx, Destroy<jsCtx_Destroy>>;
using KeyValue = std::unique_ptr<kvStore, Destroy<kvStore_Destroy>>;

// Of this thread, or of `connection` where it has one; without the place in cnats' source.
[[nodiscard]] std::string nats_error(natsConnection* connection, natsStatus status);

// Servers, TLS and credentials of `source`. The error's `where` is the setting that cnats refused.
[[nodiscard]] Result<NatsOptions> nats_options(const NatsSettings& source);

} // namespace escort::courier
