// A broker's documents in a NATS JetStream key-value bucket: a new one is here within milliseconds.
#pragma once

#include "courier/backoff.h"
#include "courier/event_post.h"
#include "courier/nats_link.h"
#include "courier/source.h"

#include <memory>

namespace escort::courier {

class NatsSource final : public Source {
  public:
    // `outbox`: the folder of the session events, where this source takes them.
    NatsSource(NatsSettings settings, std::string outbox, const Ground& ground);

    void start() override;
    void ask_again() override { refresh_.in_ms(0); }
    [[nodiscard]] const SourceReport& report() const override { return told_.report(); }
    [[nodiscard]] const EventsReport* events() const override { return post_ ? &post_->report() : nullptr; }

  private:
    void connect();
    void on_event(NatsEvent& event);
    void fails(const std::string& why);
    [[nodiscard]] std::string stamp() const;

    NatsSettings settings_;
    const Ground& ground_;
    Told told_;
    Backoff backoff_; // of whole links that could not begin
    Alarm again_;     // a (new) link
    Alarm refresh_;   // what found no room in the spool
    std::unique_ptr<NatsLink> link_;
    std::unique_ptr<EventPost> post_;
    bool undelivered_ = false; // something found no room in the spool, and was not asked for again yet
    std::string stamp_;        // of the TLS files and credentials that the link was made with
};

} // namespace escort::courier
