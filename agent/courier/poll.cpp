#include "courier/poll.h"

#include "base/clock.h"
#include "policy/scalars.h"

#include <algorithm>
#include <curl/curl.h>
#include <fmt/format.h>

namespace escort::courier {

namespace {

constexpr std::int64_t kLongestRetry = 3600; // seconds
constexpr unsigned kMostRedirects = 3;

struct UrlFree {
    void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
struct TextFree {
    void operator()(char* text) const { curl_free(text); }
};

std::string part_of(CURLU* url, CURLUPart part) {
    char* text = nullptr;
    if (curl_url_get(url, part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) return {};
    return std::unique_ptr<char, TextFree>(text).get();
}

std::string origin_of(const std::string& address) {
    const std::unique_ptr<CURLU, UrlFree> url(curl_url());
    if (!url || curl_url_set(url.get(), CURLUPART_URL, address.c_str(), 0) != CURLUE_OK) return {};
    std::string host = part_of(url.get(), CURLUPART_HOST);
    std::transform(host.begin(), host.end(), host.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    return part_of(url.get(), CURLUPART_SCHEME) + "://" + host + ":" + part_of(url.get(), CURLUPART_PORT);
}

} // namespace

bool same_origin(const std::string& one, const std::string& other) {
    const std::string origin = origin_of(one);
    return !origin.empty() && origin == origin_of(other);
}

std::optional<std::uint64_t> retry_after_ms(const std::string& value, std::int64_t now) {
    if (value.empty()) return std::nullopt;
    std::int64_t seconds = 0;
    if (const auto number = decimal(value)) {
        seconds = *number;
    } else {
        const auto date = curl_getdate(value.c_str(), nullptr);
        if (date < 0) return std::nullopt;
        seconds = std::max<std::int64_t>(static_cast<std::int64_t>(date) - now, 0);
    }
    return static_cast<std::uint64_t>(std::min(seconds, kLongestRetry)) * 1000;
}

Poll::Poll(const Ground& ground, Told& told, Ask ask, Judge judge)
    : ground_(ground),
      told_(told),
      ask_(std::move(ask)),
      judge_(std::move(judge)),
      http_(ground.loop),
      alarm_(ground.loop, [this] { send(); }) {}

void Poll::start() {
    http_.cancel();
    alarm_.in_ms(static_cast<std::uint64_t>(ground_.random() * kStartMs));
}

void Poll::send() {
    auto request = ask_();
    if (!request) return finish({backoff_.next_ms(ground_.random()), request.error().text()});
    if (!redirected_.empty()) request->url = redirected_;
    asked_ = request->url;
    auto sent = http_.send(*request, [this](const HttpAnswer& answer) { on_answer(answer); });
    if (!sent) finish({backoff_.next_ms(ground_.random()), sent.error().text()});
}

void Poll::on_answer(const HttpAnswer& answer) {
    const bool moved = answer.status >= 301 && answer.status <= 308 && answer.status != 304;
    if (moved && !answer.redirect.empty() && redirects_ < kMostRedirects &&
        same_origin(answer.redirect, asked_)) {
        redirects_++;
        redirected_ = answer.redirect;
        return send();
    }
    const Next next = judge(answer);
    redirects_ = 0;
    redirected_.clear();
    finish(next);
}

Next Poll::judge(const HttpAnswer& answer) {
    if (answer.status == 304 || (answer.status >= 200 && answer.status < 300)) {
        Next next = judge_(answer);
        if (!next.error.empty()) next.ms = std::max(next.ms, backoff_.next_ms(ground_.random()));
        return next;
    }
    const std::uint64_t wait = backoff_.next_ms(ground_.random());
    if (answer.status == 0) return {wait, answer.error};
    std::string error = fmt::format("the server answers {}", answer.status);
    if (redirects_ == kMostRedirects)
        error += fmt::format(" after {} redirects", kMostRedirects);
    else if (answer.status >= 300 && answer.status < 400)
        error = fmt::format("the server answers {} and sends us to {}: no other host is asked", answer.status,
                            answer.redirect.empty() ? "nowhere" : answer.redirect);
    if (answer.status == 401 || answer.status == 403)
        error += ": it does not let this host in (client_cert, token_file)";
    if (answer.status == 404) error += ": it knows nothing of this host under that address";
    // Where it says when, no sooner; and not all at once.
    if (const auto retry = retry_after_ms(answer.retry_after, wall_seconds()))
        return {*retry + static_cast<std::uint64_t>(ground_.random() * static_cast<double>(*retry) / 5) +
                    wait,
                error + fmt::format(", and asks for {} s of rest", *retry / 1000)};
    return {wait, error};
}

void Poll::finish(const Next& next) {
    const auto shown_ms = std::max<std::uint64_t>(next.ms, 1);
    if (next.error.empty()) {
        backoff_.succeeded();
        told_.works(shown_ms);
    } else {
        told_.fails(next.error, shown_ms);
    }
    alarm_.in_ms(next.ms);
}

} // namespace escort::courier
