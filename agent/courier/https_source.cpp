#include "courier/https_source.h"

#include "courier/answer.h"
#include "feed/keys.h"

#include <fmt/format.h>

namespace escort::courier {

namespace {

constexpr double kSoonMs = 250;

void replace_all(std::string& text, std::string_view what, const std::string& by) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
        text.replace(at, what.size(), by);
}

// Did the server hold the request as long as it was asked to? Whether it says so (RFC 7240 §3) counts for
// nothing: a cache in between repeats what it says.
bool was_held(const HttpAnswer& answer, std::int64_t wait_s) {
    return answer.seconds >= static_cast<double>(wait_s) * 0.8;
}

} // namespace

std::vector<std::string> addresses_of(const std::string& url, const std::string& host_id,
                                      const std::vector<std::string>& groups) {
    std::string of_host = url;
    replace_all(of_host, "{host_id}", url_part(host_id));
    if (of_host.find("{group}") == std::string::npos) return {of_host};
    std::vector<std::string> all;
    for (const auto& group : groups) {
        all.push_back(of_host);
        replace_all(all.back(), "{group}", url_part(group));
    }
    return all;
}

HttpsSource::HttpsSource(HttpsSettings settings, std::string url, const Ground& ground)
    : settings_(std::move(settings)),
      url_(std::move(url)),
      ground_(ground),
      told_(url_, ground),
      poll_(
          ground, told_, [this] { return ask(); },
          [this](const HttpAnswer& answer) { return take(answer); }) {}

Result<HttpRequest> HttpsSource::ask() const {
    HttpRequest request;
    request.url = url_;
    request.headers = {"Accept: application/jose, application/json"};
    if (!etag_.empty()) request.headers.push_back("If-None-Match: " + etag_);
    // The first answer is wanted at once, whatever it is.
    if (settings_.wait_s > 0 && !etag_.empty()) {
        request.headers.push_back(fmt::format("Prefer: wait={}", settings_.wait_s));
        request.patience = std::chrono::seconds(settings_.wait_s);
    }
    request.tls = settings_.tls;
    request.pin = settings_.pin;
    request.most_bytes = kMostAnswerBytes;
    return request;
}

Next HttpsSource::take(const HttpAnswer& answer) {
    const auto interval =
        jittered_ms(static_cast<std::uint64_t>(settings_.interval_s) * 1000, ground_.random());
    const auto soon = static_cast<std::uint64_t>(ground_.random() * kSoonMs);
    const bool asked_to_hold = settings_.wait_s > 0 && !etag_.empty();
    // A server that has nothing for this host says so by an empty answer (204), or an empty list.
    if (answer.status == 304 || answer.status == 204)
        return {asked_to_hold && was_held(answer, settings_.wait_s) ? soon : interval, ""};
    const auto documents = documents_of(answer.body);
    if (!documents) return {interval, documents.error().text()};
    const auto before = told_.report().documents;
    if (auto taken = hand_over(ground_, told_, *documents, Handover::Durable::no); !taken)
        return {interval, taken.error().text()};
    // With something new, or with what there was at the start, a server that holds requests is asked at once
    // again.
    const bool first = etag_.empty() && !answer.etag.empty();
    etag_ = answer.etag;
    const bool something_new = first || (asked_to_hold && told_.report().documents > before);
    return {settings_.wait_s > 0 && something_new ? soon : interval, ""};
}

} // namespace escort::courier
