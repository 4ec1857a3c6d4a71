#include "courier/bucket.h"

#include "courier/nats_handles.h"
#include "feed/outbox.h"

namespace escort::courier {

namespace {

constexpr std::int64_t kStreamBytes = std::int64_t{1} << 30;
constexpr std::int64_t kEventsOfASubject = 10'000;      // of one host and kind
constexpr std::int64_t kDuplicatesNs = 600'000'000'000; // 10 min: as long as ids are remembered
constexpr std::int32_t kMessageHeaderBytes = 4096;      // what a message has beside the event

Result<KeyValue> open_bucket(jsCtx* stream, const std::string& bucket, int create) {
    kvStore* raw = nullptr;
    auto status = js_KeyValue(&raw, stream, bucket.c_str());
    if (status == NATS_NOT_FOUND && create > 0) {
        kvConfig config;
        kvConfig_Init(&config);
        config.Bucket = bucket.c_str();
        config.Description = "signed documents for escortd; the last of each key";
        config.History = 1;
        config.Replicas = create;
        status = js_CreateKeyValue(&raw, stream, &config);
    }
    if (status != NATS_OK)
        return fail("bucket " + bucket, nats_error(nullptr, status),
                    status == NATS_NOT_FOUND ? "make it with --create" : "");
    return KeyValue(raw);
}

struct Connected {
    NatsConnection connection;
    JetStream stream;
};

Result<Connected> connect_to(const NatsSettings& target) {
    const auto options = nats_options(target);
    if (!options) return tl::unexpected(options.error());
    const std::string& server = target.servers.front();
    natsConnection* raw = nullptr;
    if (const auto status = natsConnection_Connect(&raw, options->get()); status != NATS_OK)
        return fail(server, nats_error(nullptr, status));
    NatsConnection connection(raw);
    jsCtx* stream = nullptr;
    if (const auto status = natsConnection_JetStream(&stream, raw, nullptr); status != NATS_OK)
        return fail(server, nats_error(nullptr, status));
    return Connected{std::move(connection), JetStream(stream)};
}

} // namespace

Result<std::uint64_t> put_into_bucket(const NatsSettings& target, const std::string& key,
                                      std::string_view value, int create) {
    const auto connected = connect_to(target);
    if (!connected) return tl::unexpected(connected.error());
    const std::string& server = target.servers.front();
    const auto bucket = open_bucket(connected->stream.get(), target.bucket, create);
    if (!bucket) return fail(server + ", " + bucket.error().where, bucket.error().why, bucket.error().hint);
    std::uint64_t revision = 0;
    const auto status =
        kvStore_Put(&revision, bucket->get(), key.c_str(), value.data(), static_cast<int>(value.size()));
    if (status != NATS_OK) return fail(server + ", key " + key, nats_error(nullptr, status));
    return revision;
}

Status make_event_stream(const NatsSettings& target, int replicas) {
    const auto connected = connect_to(target);
    if (!connected) return tl::unexpected(connected.error());
    jsCtx* stream = connected->stream.get();
    jsStreamInfo* info = nullptr;
    jsErrCode code = static_cast<jsErrCode>(0);
    auto status = js_GetStreamInfo(&info, stream, kEventStream, nullptr, &code);
    jsStreamInfo_Destroy(info);
    if (status == NATS_OK) return {};
    if (status == NATS_NOT_FOUND) {
        const char* subjects = kEventSubjects;
        jsStreamConfig config;
        jsStreamConfig_Init(&config);
        config.Name = kEventStream;
        config.Description = "session events of escortd's hosts, each signed by its host";
        config.Subjects = &subjects;
        config.SubjectsLen = 1;
        config.MaxBytes = kStreamBytes;
        config.MaxMsgsPerSubject = kEventsOfASubject;
        config.MaxMsgSize = kSessionEventLimit + kMessageHeaderBytes;
        config.Duplicates = kDuplicatesNs;
        config.Replicas = replicas;
        config.DenyDelete = true;
        config.DenyPurge = true;
        status = js_AddStream(nullptr, stream, &config, nullptr, &code);
    }
    if (status != NATS_OK)
        return fail(target.servers.front() + ", stream " + kEventStream, nats_error(nullptr, status));
    return {};
}

} // namespace escort::courier
