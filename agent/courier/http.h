// One HTTPS request at a time, over the courier's loop: libcurl's multi interface and its connection, kept
// from request to request. Bounded in bytes and time; follows no redirect.
#pragma once

#include "base/result.h"
#include "courier/alarm.h"
#include "feed/settings.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <systemd/sd-event.h>
#include <vector>

namespace escort::courier {

struct HttpRequest {
    std::string url;
    std::vector<std::string> headers; // "Name: value"
    std::optional<std::string> post;  // the body; absent: GET
    TlsFiles tls;
    std::string pin;                  // base64, or empty
    std::chrono::seconds patience{0}; // the server may be silent for so long before it answers
    std::size_t most_bytes = 0;       // of the body, after gzip
};

struct HttpAnswer {
    long status = 0; // 0: there was none, `error` says why
    std::string error;
    std::string body;
    std::string etag;
    std::string redirect;    // an absolute address, for 3xx
    std::string retry_after; // as sent (RFC 9110 §10.2.3)
    double seconds = 0;      // from the request, sent, to the answer's first byte
};

class Http {
  public:
    using Done = std::function<void(HttpAnswer)>;

    // `loop` must outlive this.
    explicit Http(sd_event* loop);
    ~Http();
    Http(const Http&) = delete;
    Http& operator=(const Http&) = delete;

    // `done` is called once from the loop, unless cancel() comes first. Only when nothing is under way. Files
    // of `tls` that have changed since the last request: a new connection. Error: libcurl refuses an option.
    [[nodiscard]] Status send(const HttpRequest& request, Done done);
    void cancel();

  private:
    struct Curl; // libcurl's handles
    struct Transfer;

    void open();
    void on_ready(int fd, int mask);
    void finish();
    static int on_socket(sd_event_source*, int fd, std::uint32_t events, void* self);

    sd_event* loop_;
    std::unique_ptr<Curl> curl_;
    std::unique_ptr<Transfer> transfer_;
    std::map<int, EventSource> sockets_;
    Alarm timeout_;
    std::string stamp_; // of the TLS files that the connections were made with
};

// What identifies the state of these files: changes when one is replaced or written.
[[nodiscard]] std::string stamp_of(const TlsFiles& files, const std::string& other = {});

} // namespace escort::courier
