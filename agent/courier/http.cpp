#include "courier/http.h"

#include <algorithm>
#include <curl/curl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/stat.h>

namespace escort::courier {

namespace {

constexpr std::chrono::seconds kConnect{10};
constexpr std::chrono::seconds kSlow{15};   // below kSlowest for so long: given up
constexpr std::chrono::seconds kWhole{120}; // beyond the patience, for the whole answer
constexpr long kSlowest = 256;              // bytes a second
constexpr long kKeepIdle = 15;              // seconds
constexpr long kKeepInterval = 5;           // seconds, nine times
constexpr std::size_t kHeaderBytes = std::size_t{64} << 10;

struct EasyFree {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct MultiFree {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct ListFree {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

bool set_name(std::string_view line, std::string_view name, std::string& into) {
    if (line.size() <= name.size() || line[name.size()] != ':') return false;
    const bool same = std::equal(name.begin(), name.end(), line.begin(),
                                 [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b + 32 : b); });
    if (!same) return false;
    line.remove_prefix(name.size() + 1);
    const auto first = line.find_first_not_of(" \t");
    const auto last = line.find_last_not_of(" \t\r\n");
    into = first == std::string_view::npos ? "" : std::string(line.substr(first, last - first + 1));
    return true;
}

} // namespace

struct Http::Curl {
    std::unique_ptr<CURLM, MultiFree> multi{curl_multi_init()};
};

struct Http::Transfer {
    std::unique_ptr<CURL, EasyFree> easy{curl_easy_init()};
    std::unique_ptr<curl_slist, ListFree> headers;
    HttpRequest request;
    HttpAnswer answer;
    Done done;
    std::size_t header_bytes = 0;
    bool too_large = false;
    char error[CURL_ERROR_SIZE] = "";

    static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self) {
        auto& transfer = *static_cast<Transfer*>(self);
        transfer.too_large = transfer.answer.body.size() + size > transfer.request.most_bytes;
        if (transfer.too_large) return 0;
        transfer.answer.body.append(data, size);
        return size;
    }
    static std::size_t on_header(char* data, std::size_t, std::size_t size, void* self) {
        auto& transfer = *static_cast<Transfer*>(self);
        transfer.header_bytes += size;
        transfer.too_large = transfer.header_bytes > kHeaderBytes;
        if (transfer.too_large) return 0;
        const std::string_view line(data, size);
        HttpAnswer& answer = transfer.answer;
        (void)(set_name(line, "etag", answer.etag) || set_name(line, "retry-after", answer.retry_after));
        return size;
    }
};

std::string stamp_of(const TlsFiles& files, const std::string& other) {
    std::string stamp;
    for (const auto* path : {&files.ca, &files.client_cert, &files.client_key, &other}) {
        struct stat info {};
        if (path->empty() || ::stat(path->c_str(), &info) != 0)
            stamp += "-;";
        else
            stamp += fmt::format("{}:{}:{}.{};", info.st_ino, info.st_size, info.st_mtim.tv_sec,
                                 info.st_mtim.tv_nsec);
    }
    return stamp;
}

Http::Http(sd_event* loop) : loop_(loop), timeout_(loop, [this] { on_ready(CURL_SOCKET_TIMEOUT, 0); }) {}

Http::~Http() {
    cancel();
    curl_.reset();
}

// A multi handle holds connections and TLS sessions, with the certificates that they were made with.
void Http::open() {
    curl_.reset(); // its sockets are taken off the loop by the callback, as it closes
    curl_ = std::make_unique<Curl>();
    CURLM* multi = curl_->multi.get();
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(
        multi, CURLMOPT_SOCKETFUNCTION, +[](CURL*, curl_socket_t fd, int what, void* self, void*) -> int {
            auto& http = *static_cast<Http*>(self);
            http.sockets_.erase(fd);
            if (what == CURL_POLL_REMOVE) return 0;
            std::uint32_t events = 0;
            if ((what & CURL_POLL_IN) != 0) events |= EPOLLIN;
            if ((what & CURL_POLL_OUT) != 0) events |= EPOLLOUT;
            sd_event_source* source = nullptr;
            if (sd_event_add_io(http.loop_, &source, fd, events, on_socket, &http) < 0) return -1;
            http.sockets_[fd].reset(source);
            return 0;
        });
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(
        multi, CURLMOPT_TIMERFUNCTION, +[](CURLM*, long ms, void* self) -> int {
            auto& http = *static_cast<Http*>(self);
            if (ms < 0) http.timeout_.off();
            return ms < 0 || http.timeout_.in_ms(static_cast<std::uint64_t>(ms)) ? 0 : -1;
        });
}

Status Http::send(const HttpRequest& request, Done done) {
    std::string stamp = stamp_of(request.tls);
    if (!curl_ || stamp != stamp_) open();
    stamp_ = std::move(stamp);
    auto transfer = std::make_unique<Transfer>();
    transfer->request = request;
    transfer->done = std::move(done);
    CURL* easy = transfer->easy.get();
    if (easy == nullptr || !curl_->multi) return fail(request.url, "no memory for a request");
    for (const auto& header : request.headers) {
        curl_slist* longer = curl_slist_append(transfer->headers.get(), header.c_str());
        if (longer == nullptr) return fail(request.url, "no memory for a request");
        (void)transfer->headers.release();
        transfer->headers.reset(longer);
    }
    CURLcode bad = CURLE_OK;
    const auto set = [&](CURLoption option, auto value) {
        if (bad == CURLE_OK) bad = curl_easy_setopt(easy, option, value);
    };
    const auto silent = static_cast<long>(request.patience.count());
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "https");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    set(CURLOPT_CA_CACHE_TIMEOUT, 0L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(kConnect.count()));
    set(CURLOPT_TIMEOUT, silent + static_cast<long>(kWhole.count()));
    set(CURLOPT_LOW_SPEED_LIMIT, kSlowest);
    set(CURLOPT_LOW_SPEED_TIME, silent + static_cast<long>(kSlow.count()));
    set(CURLOPT_ACCEPT_ENCODING, "gzip");
    set(CURLOPT_USERAGENT, "escort-courier/" ESCORT_VERSION);
    set(CURLOPT_HTTPHEADER, transfer->headers.get());
    set(CURLOPT_ERRORBUFFER, transfer->error);
    set(CURLOPT_WRITEFUNCTION, &Transfer::on_body);
    set(CURLOPT_WRITEDATA, transfer.get());
    set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
    set(CURLOPT_HEADERDATA, transfer.get());
    set(CURLOPT_QUICK_EXIT, 1L); // a resolver that hangs is left behind, not waited for
    set(CURLOPT_TCP_KEEPALIVE,
        1L); // a held request whose connection was cut on the way: noticed within a minute
    set(CURLOPT_TCP_KEEPIDLE, kKeepIdle);
    set(CURLOPT_TCP_KEEPINTVL, kKeepInterval);
    if (!request.tls.ca.empty()) {
        set(CURLOPT_CAINFO, request.tls.ca.c_str());
        set(CURLOPT_CAPATH, static_cast<const char*>(nullptr)); // that authority alone
    }
    if (!request.tls.client_cert.empty()) {
        set(CURLOPT_SSLCERT, request.tls.client_cert.c_str());
        set(CURLOPT_SSLKEY, request.tls.client_key.c_str());
    }
    const std::string pin = "sha256//" + request.pin;
    if (!request.pin.empty()) set(CURLOPT_PINNEDPUBLICKEY, pin.c_str());
    if (request.post) {
        set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.post->size()));
        set(CURLOPT_COPYPOSTFIELDS, request.post->c_str());
    }
    if (bad != CURLE_OK) return fail(request.url, curl_easy_strerror(bad));
    transfer_ = std::move(transfer);
    if (const auto refused = curl_multi_add_handle(curl_->multi.get(), easy); refused != CURLM_OK) {
        transfer_.reset();
        return fail(request.url, curl_multi_strerror(refused));
    }
    return {};
}

void Http::cancel() {
    if (!transfer_) return;
    curl_multi_remove_handle(curl_->multi.get(), transfer_->easy.get());
    transfer_.reset();
}

int Http::on_socket(sd_event_source*, int fd, std::uint32_t events, void* self) {
    int mask = 0;
    if ((events & EPOLLIN) != 0) mask |= CURL_CSELECT_IN;
    if ((events & EPOLLOUT) != 0) mask |= CURL_CSELECT_OUT;
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) mask |= CURL_CSELECT_ERR;
    static_cast<Http*>(self)->on_ready(fd, mask);
    return 0;
}

void Http::on_ready(int fd, int mask) {
    int running = 0;
    (void)curl_multi_socket_action(curl_->multi.get(), fd, mask, &running);
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(curl_->multi.get(), &left)) {
        if (message->msg != CURLMSG_DONE || !transfer_ || message->easy_handle != transfer_->easy.get())
            continue;
        const CURLcode result = message->data.result;
        HttpAnswer& answer = transfer_->answer;
        double sent = 0;
        curl_easy_getinfo(transfer_->easy.get(), CURLINFO_PRETRANSFER_TIME, &sent);
        curl_easy_getinfo(transfer_->easy.get(), CURLINFO_STARTTRANSFER_TIME, &answer.seconds);
        answer.seconds -= sent;
        if (result == CURLE_OK) {
            curl_easy_getinfo(transfer_->easy.get(), CURLINFO_RESPONSE_CODE, &answer.status);
            const char* redirect = nullptr;
            curl_easy_getinfo(transfer_->easy.get(), CURLINFO_REDIRECT_URL, &redirect);
            if (redirect != nullptr) answer.redirect = redirect;
        } else if (transfer_->too_large) {
            answer.error = fmt::format("the answer is larger than {} bytes", transfer_->request.most_bytes);
        } else {
            answer.error = transfer_->error[0] != '\0' ? transfer_->error : curl_easy_strerror(result);
        }
        return finish();
    }
}

void Http::finish() {
    curl_multi_remove_handle(curl_->multi.get(), transfer_->easy.get());
    const auto ended = std::move(transfer_);
    ended->easy.reset();
    ended->done(std::move(ended->answer)); // may send the next
}

} // namespace escort::courier
