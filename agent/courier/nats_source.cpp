#include "courier/nats_source.h"

#include "courier/answer.h"
#include "courier/http.h"
#include "courier/poll.h"
#include "feed/keys.h"

#include <algorithm>
#include <mutex>

namespace escort::courier {

namespace {

constexpr std::uint64_t kRefreshMs = 5'000;

// For cnats' threads, which share nothing with the loop: exponential with full jitter since the last success.
class ConnectDelay {
  public:
    explicit ConnectDelay(std::function<double()> random) : random_(std::move(random)) {}

    std::uint64_t next_ms() {
        const std::lock_guard lock(mutex_);
        return backoff_.next_ms(random_());
    }
    void succeeded() {
        const std::lock_guard lock(mutex_);
        backoff_.succeeded();
    }

  private:
    std::mutex mutex_;
    std::function<double()> random_;
    Backoff backoff_;
};

} // namespace

NatsSource::NatsSource(NatsSettings settings, std::string outbox, const Ground& ground)
    : settings_(std::move(settings)),
      ground_(ground),
      told_(name_of(settings_), ground),
      again_(ground.loop, [this] { connect(); }),
      refresh_(ground.loop, [this] {
          undelivered_ = false;
          if (link_) link_->refresh();
      }) {
    if (settings_.events.empty()) return;
    post_ = std::make_unique<EventPost>(EventPost::Ground{ground.loop, std::move(outbox), ground.host_id,
                                                          ground.random,
                                                          [this](std::vector<OutgoingEvent> events) {
                                                              if (link_) link_->send(std::move(events));
                                                          },
                                                          ground.report_changed});
}

std::string NatsSource::stamp() const {
    return stamp_of(settings_.tls, settings_.credentials);
}

void NatsSource::start() {
    again_.in_ms(static_cast<std::uint64_t>(ground_.random() * kStartMs));
    if (post_) post_->start();
}

void NatsSource::connect() {
    link_.reset();
    stamp_ = stamp();
    NatsTarget target{settings_, watched_keys(ground_.host_id, ground_.groups),
                      post_ ? event_subjects_of(ground_.host_id) : std::string(),
                      "escort.inbox." + key_part(ground_.host_id)};
    const auto delay = std::make_shared<ConnectDelay>(ground_.random);
    link_ = std::make_unique<NatsLink>(
        ground_.loop, std::move(target),
        [this, delay](NatsEvent& event) {
            if (event.kind == NatsEvent::Kind::watching) delay->succeeded();
            on_event(event);
        },
        [delay] { return delay->next_ms(); });
    if (auto started = link_->start(); !started) fails(started.error().text());
}

void NatsSource::on_event(NatsEvent& event) {
    switch (event.kind) {
    case NatsEvent::Kind::connected:
        if (post_) post_->connected();
        return;
    case NatsEvent::Kind::sent:
        if (post_) post_->result(event.key, event.text);
        return;
    case NatsEvent::Kind::watching:
        backoff_.succeeded();
        if (!undelivered_) told_.works(0);
        return;
    case NatsEvent::Kind::disconnected:
        if (post_) post_->disconnected(event.text);
        [[fallthrough]];
    case NatsEvent::Kind::trouble:
        told_.fails(event.text, 0);
        // New certificates or credentials are what a server may have asked for by hanging up.
        if (stamp() != stamp_) again_.in_ms(0);
        return;
    case NatsEvent::Kind::ended:
        if (post_) post_->disconnected(event.text);
        return fails(event.text);
    case NatsEvent::Kind::document:
        break;
    }
    if (auto good = check_compact_jws(event.bytes); !good)
        return told_.remarks("key " + event.key + ": " + good.error().text());
    if (auto taken = hand_over(ground_, told_, {event.bytes}, Handover::Durable::no); !taken) {
        told_.fails(taken.error().text(), kRefreshMs);
        if (!undelivered_) undelivered_ = refresh_.in_ms(kRefreshMs);
        return;
    }
    if (!undelivered_) told_.works(0);
}

void NatsSource::fails(const std::string& why) {
    const std::uint64_t wait = backoff_.next_ms(ground_.random());
    told_.fails(why, std::max<std::uint64_t>(wait, 1));
    again_.in_ms(wait);
}

} // namespace escort::courier
