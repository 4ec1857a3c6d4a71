// One address that is asked again and again over HTTPS: when, with what patience, and what follows from an
// answer that is none. What a good answer means is its owner's.
#pragma once

#include "courier/backoff.h"
#include "courier/http.h"
#include "courier/source.h"

#include <functional>
#include <optional>

namespace escort::courier {

// What comes of an answer.
struct Next {
    std::uint64_t ms = 0;  // until the next request
    std::string error;     // empty: it was good
};

class Poll {
  public:
    using Ask = std::function<HttpRequest()>;
    using Judge = std::function<Next(const HttpAnswer&)>; // of status 200 to 299 and 304 only

    // All must outlive this.
    Poll(const Ground& ground, Told& told, Ask ask, Judge judge);

    // The first request comes within two seconds: many hosts boot at once.
    void start();

  private:
    void send();
    void on_answer(HttpAnswer answer);
    [[nodiscard]] Next judge(const HttpAnswer& answer);
    void finish(const Next& next);

    const Ground& ground_;
    Told& told_;
    Ask ask_;
    Judge judge_;
    Http http_;
    Alarm alarm_;
    Backoff backoff_;
    unsigned redirects_ = 0;
    std::string redirected_; // where the request goes on to; empty: where `ask_` says
};

// The wait of a Retry-After (RFC 9110 §10.2.3): seconds, or a date; at most an hour. Nothing: neither.
[[nodiscard]] std::optional<std::uint64_t> retry_after_ms(const std::string& value, std::int64_t now);

// Same scheme, host and port?
[[nodiscard]] bool same_origin(const std::string& one, const std::string& other);

} // namespace escort::courier
