#include "courier/bucket.h"

#include "courier/nats_handles.h"

namespace escort::courier {

Result<std::uint64_t> put_into_bucket(const NatsSource& target, const std::string& key,
                                      std::string_view value, int create) {
    const auto options = nats_options(target);
    if (!options) return tl::unexpected(options.error());
    const std::string server = target.servers.front();
    natsConnection* raw = nullptr;
    if (const auto status = natsConnection_Connect(&raw, options->get()); status != NATS_OK)
        return fail(server, nats_error(nullptr, status));
    const NatsConnection connection(raw);
    jsCtx* raw_stream = nullptr;
    if (const auto status = natsConnection_JetStream(&raw_stream, raw, nullptr); status != NATS_OK)
        return fail(server, nats_error(nullptr, status));
    const JetStream stream(raw_stream);
    kvStore* raw_store = nullptr;
    auto status = js_KeyValue(&raw_store, stream.get(), target.bucket.c_str());
    if (status == NATS_NOT_FOUND && create > 0) {
        kvConfig config;
        kvConfig_Init(&config);
        config.Bucket = target.bucket.c_str();
        config.Description = "signed documents for escortd; the last of each key";
        config.History = 1;
        config.Replicas = create;
        status = js_CreateKeyValue(&raw_store, stream.get(), &config);
    }
    if (status != NATS_OK)
        return fail(server + ", bucket " + target.bucket, nats_error(nullptr, status),
                    status == NATS_NOT_FOUND ? "make it with --create" : "");
    const KeyValue store(raw_store);
    std::uint64_t revision = 0;
    status = kvStore_Put(&revision, store.get(), key.c_str(), value.data(), static_cast<int>(value.size()));
    if (status != NATS_OK) return fail(server + ", key " + key, nats_error(nullptr, status));
    return revision;
}

} // namespace escort::courier
