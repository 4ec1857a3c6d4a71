// A connection to NATS JetStream: a watched key-value bucket, and messages to a stream. The only place where
// cnats' threads are met: they put what happens into a queue, the courier's loop takes it out.
//
// For each key a push consumer of the bucket's stream that begins with the last value: what cnats' own KV
// watcher is, but with a name, so that a server can permit it key by key
// ($JS.API.CONSUMER.CREATE.STREAM.NAME. FILTER), and begun anew whenever something may have been missed:
// after a reconnect, a gap in the sequence, a heartbeat that didn't come. Values are whole, so the last of
// each key is all there is to catch up with.
#pragma once

#include "base/result.h"
#include "courier/alarm.h"
#include "courier/event_post.h"
#include "feed/settings.h"

#include <functional>
#include <memory>
#include <string>
#include <systemd/sd-event.h>
#include <vector>

namespace escort::courier {

struct NatsEvent {
    enum class Kind {
        connected,
        disconnected, // `text` says why; it goes on trying
        watching,     // every key is watched
        document,     // `bytes` is the value of `key`; not for a key that was deleted
        sent,         // the outgoing message `key` (empty: all of them) was taken, or `text` says why not
        trouble,      // `text` says what; it goes on trying
        ended,        // it could not connect, or can't any more: `text` says why; another link may
    };
    Kind kind = Kind::trouble;
    std::string key;
    std::string bytes;
    std::string text;
};

struct NatsTarget {
    NatsSettings source;
    std::vector<std::string> keys; // of the bucket; the last part may be >
    std::string event_subjects;    // what the subjects of outgoing messages begin with
    std::string inbox; // a prefix of its own for answers, so that others can't be allowed to listen
};

class NatsLink {
  public:
    // `loop` must outlive this. `on_event` is called from the loop, and must not destroy this. `delay_ms`
    // gives the wait before each try to connect or to watch again; it is called from other threads.
    NatsLink(sd_event* loop, NatsTarget target, std::function<void(NatsEvent&)> on_event,
             std::function<std::uint64_t()> delay_ms);
    ~NatsLink(); // waits for no thread: each goes by itself, at the end of what it is waiting for (a connect:
                 // 10 s)
    NatsLink(const NatsLink&) = delete;
    NatsLink& operator=(const NatsLink&) = delete;

    [[nodiscard]] Status start();
    // Asks for the last value of every key once more.
    void refresh();
    // Sends to the source's stream; a `sent` follows for each, unless there is no connection, or it is lost.
    void send(std::vector<OutgoingEvent> messages);

  private:
    struct Shared; // with cnats' threads

    static int on_wake(sd_event_source*, int fd, std::uint32_t, void* self);

    sd_event* loop_;
    std::function<void(NatsEvent&)> on_event_;
    std::shared_ptr<Shared> shared_;
    EventSource wake_;
};

} // namespace escort::courier
