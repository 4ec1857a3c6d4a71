// A broker's documents over HTTPS: GET with If-None-Match, held by the server where it honours
// `Prefer: wait=` (RFC 7240 §4.3), at an interval where it doesn't.
#pragma once

#include "courier/poll.h"

#include <string>
#include <vector>

namespace escort::courier {

class HttpsSource final : public Source {
  public:
    // `url`: one of addresses_of(settings.url).
    HttpsSource(HttpsSettings settings, std::string url, const Ground& ground);

    void start() override { poll_.start(); }
    void ask_again() override { etag_.clear(), poll_.start(); }
    [[nodiscard]] const SourceReport& report() const override { return told_.report(); }

  private:
    [[nodiscard]] Result<HttpRequest> ask() const;
    [[nodiscard]] Next take(const HttpAnswer& answer);

    HttpsSettings settings_;
    std::string url_;
    const Ground& ground_;
    Told told_;
    Poll poll_;
    std::string etag_; // of what has been handed over whole; in memory alone: a new courier asks for all
};

// The addresses of a template: {host_id} filled in, and one for each group where it holds {group}.
[[nodiscard]] std::vector<std::string> addresses_of(const std::string& url, const std::string& host_id,
                                                    const std::vector<std::string>& groups);

} // namespace escort::courier
