#include "courier/nats_link.h"

#include "base/fd.h"
#include "courier/nats_handles.h"

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <fmt/format.h>
#include <mutex>
#include <random>
#include <string_view>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace escort::courier {

namespace {

// Of each consumer; two missed, and it is begun anew: a server of a cluster takes its consumers with it.
constexpr std::int64_t kHeartbeatNs = 5'000'000'000;
constexpr std::int64_t kWriteMs = 10'000; // a server that does not read is no server
constexpr std::int64_t kPingMs = 20'000;
constexpr int kPingsOut = 2;
constexpr std::size_t kQueuedBytes = std::size_t{32} << 20; // more waits in cnats, then in the server
constexpr int kPendingBytes = 32 << 20;                     // of all keys
constexpr int kPendingMessages = 2048;                      // of each
constexpr std::chrono::milliseconds kPause{500};            // before the keys are watched anew
constexpr std::int64_t kAckMs = 10'000;                     // of a message that is sent

constexpr const char* kIdHeader = "Nats-Msg-Id"; // by which a stream knows what it has already (NATS ADR-22)

// Unique among all of the stream's consumers; no host can guess another's.
std::string consumer_name() {
    std::random_device random;
    return fmt::format("escort{:08x}{:08x}{:08x}", random(), random(), random());
}

} // namespace

struct NatsLink::Shared {
    NatsTarget target;
    std::function<std::uint64_t()> delay_ms;
    Fd wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};

    std::mutex mutex;
    std::condition_variable work;  // something for the worker
    std::condition_variable space; // the loop has taken something
    std::deque<NatsEvent> events;
    std::vector<OutgoingEvent> outgoing;
    std::size_t bytes = 0;
    bool stopping = false;
    bool connected = false;
    bool begin_anew = false; // the keys are to be watched (again)
    bool closed = false;
    std::string refused; // by the server, since the keys were last tried

    void post(NatsEvent event) {
        std::unique_lock lock(mutex);
        // Only what comes without end waits for room: a callback of another kind may be what ends the wait.
        if (event.kind == NatsEvent::Kind::document)
            space.wait(lock, [&] { return bytes < kQueuedBytes || stopping; });
        if (stopping) return;
        bytes += sizeof event + event.key.size() + event.bytes.size() + event.text.size();
        events.push_back(std::move(event));
        wake_loop();
    }
    void say(NatsEvent::Kind kind, std::string text) { post({kind, {}, {}, std::move(text)}); }
    void wake_loop() const {
        const std::uint64_t one = 1;
        (void)!::write(wake.get(), &one, sizeof one);
    }
    // What the server says of itself is more than the timeout that follows from it.
    void refuses(const std::string& why) {
        {
            const std::lock_guard lock(mutex);
            refused = why;
        }
        say(NatsEvent::Kind::trouble, why);
    }
    [[nodiscard]] std::string why_not(const Error& error) {
        const std::lock_guard lock(mutex);
        if (!refused.empty()) return refused;
        return error.text() + (error.hint.empty() ? "" : " (" + error.hint + ")");
    }
    void set_connected(bool is_connected) {
        {
            const std::lock_guard lock(mutex);
            connected = is_connected;
            begin_anew = is_connected;
            outgoing.clear();
            work.notify_all();
        }
        if (is_connected) say(NatsEvent::Kind::connected, "");
    }
    void watch_anew() {
        const std::lock_guard lock(mutex);
        begin_anew = true;
        work.notify_all();
    }

    void run();
    [[nodiscard]] Result<NatsOptions> options();
    [[nodiscard]] Result<JetStream> jet_stream(natsConnection* connection);
    [[nodiscard]] Status watch(jsCtx* stream, std::vector<NatsSubscription>& into);
    void send(jsCtx* stream, const std::vector<OutgoingEvent>& messages);
    // From `next_watch` on.
    void wait_for_work(std::unique_lock<std::mutex>& lock, std::chrono::steady_clock::time_point next_watch);

    // What cnats' callbacks are given. Never freed (16 bytes a link): nothing says when the last of them has
    // returned.
    using Handle = std::weak_ptr<Shared>;
    Handle* handle = nullptr;
    static std::shared_ptr<Shared> of(void* handle) { return static_cast<Handle*>(handle)->lock(); }

    static void on_connected(natsConnection*, void* handle) {
        if (const auto shared = of(handle)) shared->set_connected(true);
    }
    static void on_disconnected(natsConnection* connection, void* handle) {
        const auto shared = of(handle);
        if (!shared) return;
        shared->set_connected(false);
        shared->say(NatsEvent::Kind::disconnected,
                    "the connection is lost: " + nats_error(connection, NATS_CONNECTION_DISCONNECTED));
    }
    static void on_closed(natsConnection*, void* handle) {
        const auto shared = of(handle);
        if (!shared) return;
        const std::lock_guard lock(shared->mutex);
        shared->closed = true;
        shared->work.notify_all();
    }
    static void on_error(natsConnection* connection, natsSubscription*, natsStatus status, void* handle) {
        const auto shared = of(handle);
        if (!shared) return;
        const char* text = nullptr;
        (void)natsConnection_GetLastError(connection, &text);
        if (status == NATS_MISSED_HEARTBEAT || status == NATS_MISMATCH || status == NATS_SLOW_CONSUMER)
            shared->watch_anew();
        else if (text != nullptr && !shared->target.event_subjects.empty() &&
                 std::string_view(text).find('"' + shared->target.event_subjects) != std::string_view::npos)
            shared->say(NatsEvent::Kind::sent, nats_error(connection, status)); // documents come all the same
        else
            shared->refuses(nats_error(connection, status));
    }
    static std::int64_t on_delay(natsConnection* connection, int, void* handle) {
        const auto shared = of(handle);
        if (!shared) return 0;
        shared->say(NatsEvent::Kind::trouble,
                    "no server can be reached: " + nats_error(connection, NATS_NO_SERVER));
        return static_cast<std::int64_t>(shared->delay_ms());
    }
    static void on_ack(jsCtx*, natsMsg* message, jsPubAck*, jsPubAckErr* error, void* handle);
    static void on_message(natsConnection*, natsSubscription*, natsMsg* raw, void* handle) {
        const NatsMessage message(raw);
        const auto shared = of(handle);
        if (!shared) return;
        const char* operation = nullptr; // DEL or PURGE: the key has no value any more
        if (natsMsgHeader_Get(raw, "KV-Operation", &operation) == NATS_OK && operation != nullptr) return;
        std::string_view key = natsMsg_GetSubject(raw);
        if (const auto prefix = "$KV." + shared->target.source.bucket + "."; key.starts_with(prefix))
            key.remove_prefix(prefix.size());
        shared->post({NatsEvent::Kind::document,
                      std::string(key),
                      std::string(natsMsg_GetData(raw), static_cast<std::size_t>(natsMsg_GetDataLength(raw))),
                      {}});
    }
};

// `message` holds its id as a header, and is ours.
void NatsLink::Shared::on_ack(jsCtx*, natsMsg* message, jsPubAck*, jsPubAckErr* error, void* handle) {
    const NatsMessage owned(message);
    const auto shared = of(handle);
    const char* id = nullptr;
    if (shared && natsMsgHeader_Get(message, kIdHeader, &id) == NATS_OK && id != nullptr) {
        std::string why;
        if (error != nullptr)
            why = error->ErrText != nullptr && *error->ErrText != '\0' ? error->ErrText
                                                                       : natsStatus_GetText(error->Err);
        shared->post({NatsEvent::Kind::sent, id, {}, std::move(why)});
    }
}

Result<JetStream> NatsLink::Shared::jet_stream(natsConnection* connection) {
    jsOptions options;
    jsOptions_Init(&options);
    if (!target.source.api_prefix.empty()) options.Prefix = target.source.api_prefix.c_str();
    options.PublishAsync.AckHandler = on_ack;
    options.PublishAsync.AckHandlerClosure = handle;
    jsCtx* raw = nullptr;
    const auto status = natsConnection_JetStream(&raw, connection, &options);
    if (status != NATS_OK) return fail("JetStream", nats_error(connection, status));
    return JetStream(raw);
}

void NatsLink::Shared::send(jsCtx* stream, const std::vector<OutgoingEvent>& messages) {
    for (const auto& each : messages) {
        natsMsg* raw = nullptr;
        auto status = natsMsg_Create(&raw, each.subject.c_str(), nullptr, each.document.data(),
                                     static_cast<int>(each.document.size()));
        jsPubOptions options;
        jsPubOptions_Init(&options);
        options.MaxWait = kAckMs;
        options.MsgId = each.id.c_str();
        options.ExpectStream = target.source.events.c_str();
        if (status == NATS_OK) status = js_PublishMsgAsync(stream, &raw, &options);
        const NatsMessage not_taken(raw);
        if (status != NATS_OK) post({NatsEvent::Kind::sent, each.id, {}, nats_error(nullptr, status)});
    }
}

Result<NatsOptions> NatsLink::Shared::options() {
    auto made = nats_options(target.source);
    if (!made) return made;
    natsOptions* options = made->get();
    natsStatus status = NATS_OK;
    const auto set = [&](auto call, auto... arguments) {
        if (status == NATS_OK) status = call(options, arguments...);
    };
    set(natsOptions_SetCustomInboxPrefix, target.inbox.c_str());
    set(natsOptions_SetWriteDeadline, kWriteMs);
    set(natsOptions_SetPingInterval, kPingMs);
    set(natsOptions_SetMaxPingsOut, kPingsOut);
    set(natsOptions_SetMaxReconnect, -1);
    set(natsOptions_UseGlobalMessageDelivery, true);
    set(natsOptions_SetCustomReconnectDelay, on_delay, handle);
    set(natsOptions_SetReconnectedCB, on_connected, handle);
    set(natsOptions_SetDisconnectedCB, on_disconnected, handle);
    set(natsOptions_SetClosedCB, on_closed, handle);
    set(natsOptions_SetErrorHandler, on_error, handle);
    if (status != NATS_OK) return fail("nats", nats_error(nullptr, status));
    return made;
}

Status NatsLink::Shared::watch(jsCtx* stream, std::vector<NatsSubscription>& into) {
    const std::string name = "KV_" + target.source.bucket;
    for (const auto& key : target.keys) {
        if (const std::lock_guard lock(mutex); stopping || closed)
            return fail("nats", "the connection is over");
        const std::string subject = "$KV." + target.source.bucket + "." + key;
        const std::string consumer = consumer_name();
        jsSubOptions options;
        jsSubOptions_Init(&options);
        options.Stream = name.c_str();
        options.Config.Name = consumer.c_str();
        options.Config.DeliverPolicy = js_DeliverLastPerSubject;
        options.Config.AckPolicy = js_AckNone;
        options.Config.MaxDeliver = 1;
        options.Config.FlowControl = true;
        options.Config.Heartbeat = kHeartbeatNs;
        options.Config.MemoryStorage = true;
        options.Config.Replicas = 1;
        natsSubscription* subscription = nullptr;
        jsErrCode code = static_cast<jsErrCode>(0);
        const auto status = js_Subscribe(&subscription, stream, subject.c_str(), on_message, handle, nullptr,
                                         &options, &code);
        if (status != NATS_OK)
            return fail("key " + key, nats_error(nullptr, status),
                        "does the bucket exist, and may this host read its own keys?");
        into.emplace_back(subscription);
        (void)natsSubscription_SetPendingLimits(subscription, kPendingMessages,
                                                kPendingBytes / static_cast<int>(target.keys.size()));
    }
    return {};
}

void NatsLink::Shared::wait_for_work(std::unique_lock<std::mutex>& lock,
                                     std::chrono::steady_clock::time_point next_watch) {
    const auto over = [&] { return stopping || closed || (connected && !outgoing.empty()); };
    work.wait(lock, [&] { return over() || (connected && begin_anew); });
    work.wait_until(lock, next_watch, over);
}

void NatsLink::Shared::run() {
    const auto made = options();
    if (!made) return say(NatsEvent::Kind::ended, made.error().text());
    natsConnection* raw = nullptr;
    const auto status = natsConnection_Connect(&raw, made->get());
    if (status != NATS_OK) return say(NatsEvent::Kind::ended, nats_error(nullptr, status));
    const NatsConnection connection(raw);
    set_connected(true);

    std::vector<NatsSubscription> watched;
    const auto stream = jet_stream(connection.get());
    if (!stream) return say(NatsEvent::Kind::ended, stream.error().text());
    auto next_watch = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex);
    for (;;) {
        wait_for_work(lock, next_watch);
        if (stopping || closed) break;
        if (!outgoing.empty()) {
            const auto messages = std::exchange(outgoing, {});
            lock.unlock();
            send(stream->get(), messages);
            lock.lock();
        }
        if (!begin_anew || std::chrono::steady_clock::now() < next_watch) continue;
        begin_anew = false;
        refused.clear();
        lock.unlock();
        watched.clear();
        const auto watching = watch(stream->get(), watched);
        if (watching)
            say(NatsEvent::Kind::watching, "");
        else
            say(NatsEvent::Kind::trouble, why_not(watching.error()));
        next_watch = std::chrono::steady_clock::now() + kPause;
        if (!watching) next_watch += std::chrono::milliseconds(delay_ms());
        lock.lock();
        begin_anew = begin_anew || !watching;
    }
    const bool given_up = closed; // by cnats itself, as after a second refusal of the credentials
    lock.unlock();
    watched.clear();
    if (given_up) say(NatsEvent::Kind::ended, nats_error(connection.get(), NATS_CONNECTION_CLOSED));
    natsConnection_Close(connection.get());
}

NatsLink::NatsLink(sd_event* loop, NatsTarget target, std::function<void(NatsEvent&)> on_event,
                   std::function<std::uint64_t()> delay_ms)
    : loop_(loop), on_event_(std::move(on_event)), shared_(std::make_shared<Shared>()) {
    shared_->target = std::move(target);
    shared_->delay_ms = std::move(delay_ms);
}

NatsLink::~NatsLink() {
    const std::lock_guard lock(shared_->mutex);
    shared_->stopping = true;
    shared_->work.notify_all();
    shared_->space.notify_all();
}

Status NatsLink::start() {
    if (!shared_->wake.valid()) return fail_errno("nats", "eventfd", errno);
    sd_event_source* source = nullptr;
    const int error = sd_event_add_io(loop_, &source, shared_->wake.get(), EPOLLIN, on_wake, this);
    if (error < 0) return fail_errno("nats", "watch", -error);
    wake_.reset(source);
    shared_->handle = new Shared::Handle(shared_);
    std::thread([shared = shared_] { shared->run(); }).detach();
    return {};
}

void NatsLink::send(std::vector<OutgoingEvent> messages) {
    const std::lock_guard lock(shared_->mutex);
    shared_->outgoing = std::move(messages);
    shared_->work.notify_all();
}

void NatsLink::refresh() {
    shared_->watch_anew();
}

int NatsLink::on_wake(sd_event_source*, int fd, std::uint32_t, void* self) {
    auto& link = *static_cast<NatsLink*>(self);
    std::uint64_t count = 0;
    (void)!::read(fd, &count, sizeof count);
    std::deque<NatsEvent> events;
    {
        const std::lock_guard lock(link.shared_->mutex);
        events.swap(link.shared_->events);
        link.shared_->bytes = 0;
        link.shared_->space.notify_all();
    }
    for (auto& event : events)
        link.on_event_(event);
    return 0;
}

} // namespace escort::courier
