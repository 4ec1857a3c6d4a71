#include "courier/caep_source.h"

#include "base/file.h"
#include "courier/answer.h"
#include "courier/https_source.h"

namespace escort::courier {

namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 20;
constexpr std::size_t kMostEvents = 100;
constexpr std::uint64_t kGapMs = 100;      // between requests, whatever the server says
constexpr std::uint64_t kAtOnceMs = 1'000; // where nothing of it was new
constexpr std::size_t kTokenBytes = 16'384;
constexpr std::chrono::seconds kPatience{300}; // RFC 8936 leaves it to the transmitter

// The first line.
Result<std::string> read_token(const std::string& path) {
    const auto content = read_file(path, kTokenBytes);
    if (!content) return tl::unexpected(content.error());
    std::string token = content->substr(0, content->find_first_of("\r\n"));
    if (token.empty() || token.find_first_of(std::string_view("\0\t ", 3)) != std::string::npos)
        return fail(path, "its first line is no token");
    return token;
}

} // namespace

CaepSource::CaepSource(CaepSettings settings, const Ground& ground)
    : settings_(std::move(settings)),
      ground_(ground),
      url_(addresses_of(settings_.url, ground.host_id, {}).front()),
      told_(url_, ground),
      poll_(
          ground, told_, [this] { return ask(); },
          [this](const HttpAnswer& answer) { return take(answer); }) {}

Result<HttpRequest> CaepSource::ask() const {
    HttpRequest request;
    request.url = url_;
    request.headers = {"Content-Type: application/json", "Accept: application/json"};
    if (!settings_.token_file.empty()) {
        const auto token = read_token(settings_.token_file);
        if (!token) return tl::unexpected(token.error());
        request.headers.push_back("Authorization: Bearer " + *token);
    }
    request.post = poll_body(acknowledge_, refuse_, kMostEvents, at_once_);
    request.patience = kPatience;
    request.tls = settings_.tls;
    request.pin = settings_.pin;
    request.most_bytes = kMostBytes;
    return request;
}

Next CaepSource::take(const HttpAnswer& answer) {
    const bool held = !at_once_ && answer.seconds >= 1;
    const std::uint64_t rest =
        jittered_ms(static_cast<std::uint64_t>(settings_.interval_s) * 1000, ground_.random());
    const auto polled = sets_of(answer.body);
    if (!polled) return {rest, polled.error().text()};
    // What the request told is told: the answer says that it arrived.
    acknowledge_.clear();
    refuse_.clear();
    const auto before = told_.report().documents;
    for (const auto& [jti, set] : *polled) {
        if (auto good = check_compact_jws(set); !good) {
            refuse_.push_back(jti);
            continue;
        }
        if (auto taken = hand_over(ground_, told_, {set}, Handover::Durable::yes); !taken)
            return {rest, taken.error().text()}; // unacknowledged: it comes again
        acknowledge_.push_back(jti);
    }
    // Acknowledged without waiting; but a transmitter that sends the same again, whatever it is told, has
    // time.
    const bool something_new = told_.report().documents > before;
    at_once_ = !acknowledge_.empty() || !refuse_.empty();
    return {something_new || held ? kGapMs : at_once_ ? jittered_ms(kAtOnceMs, ground_.random()) : rest, ""};
}

} // namespace escort::courier
