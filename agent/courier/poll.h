// One address that is asked again and again over HTTPS: when, with what patience, and what follows from an
// answer that is none. What a good answer means is its owner's.
#pragma once

#include "courier/backoff.h"
#include "courier/http.h"
#include "courier/source.h"

#include <functional>
#include <optional>

namespace escort::courier {

// Many hosts boot at once: their first requests are spread over so long.
constexpr std::uint64_t kStartMs = 2'000;

// What comes of an answer.
struct Next {
    std::uint64_t ms = 0; // until the next request; longer where it was an error, and not the first
    std::string error;    // empty: it was good
};

class Poll {
  public:
    using Ask = std::function<Result<HttpRequest>()>;
    using Judge = std::function<Next(const HttpAnswer&)>; // of status 200 to 299 and 304

    // All must outlive this.
    Poll(const Ground& ground, Told& told, Ask ask, Judge judge);

    // The next request, the first or not, comes within kStartMs; one that is under way is given up.
    void start();

  private:
    void send();
    void on_answer(const HttpAnswer& answer);
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
    std::string asked_;      // the address of the request under way
};

// The wait of a Retry-After (RFC 9110 §10.2.3), in milliseconds: seconds, or a date (`now`: seconds since the
// epoch); at most an hour. Nothing: neither.
[[nodiscard]] std::optional<std::uint64_t> retry_after_ms(const std::string& value, std::int64_t now);

// Same scheme, host and port?
[[nodiscard]] bool same_origin(const std::string& one, const std::string& other);

} // namespace escort::courier
