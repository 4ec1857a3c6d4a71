#include "feed/settings.h"

#include "base/contains.h"
#include "feed/keys.h"
#include "policy/scalars.h"
#include "policy/utf8.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <string_view>

namespace escort {

namespace {

constexpr std::int64_t kLongestInterval = 3600;
constexpr std::int64_t kLongestWait = 300;
constexpr std::size_t kPinLength = 44; // 32 bytes in base64
constexpr const char* kNoEvents = "none";

// What each type may have beside `type`; the first is the one it must have.
struct TypeKeys {
    std::string_view type;
    std::vector<std::string_view> keys;
};
const std::array<TypeKeys, 3>& type_keys() {
    static const std::array<TypeKeys, 3> table{
        {{"https", {"url", "ca", "client_cert", "client_key", "pin", "interval", "wait"}},
         {"nats",
          {"servers", "bucket", "api_prefix", "events", "ca", "client_cert", "client_key", "credentials"}},
         {"caep_poll", {"url", "ca", "client_cert", "client_key", "pin", "token_file", "interval"}}}};
    return table;
}

// The host and port of a URL, or all of it.
std::string authority_of(std::string_view url) {
    const auto begin = url.find("://");
    if (begin == std::string_view::npos) return std::string(url);
    url.remove_prefix(begin + 3);
    url = url.substr(0, url.find('/'));
    const auto at = url.rfind('@');
    return std::string(at == std::string_view::npos ? url : url.substr(at + 1));
}

class SourceReader {
  public:
    SourceReader(const std::string& file, const YamlNode& item, Diagnostics& out)
        : file_(file), item_(item), out_(out) {}

    std::optional<SourceSettings> read() {
        const auto* type = item_.find("type");
        if (type == nullptr) {
            report(item_, "an item of courier.sources has no type", "https, nats or caep_poll");
            return std::nullopt;
        }
        const auto& known = *std::find_if(type_keys().begin(), type_keys().end(),
                                          [&](const TypeKeys& each) { return each.type == type->text; });
        for (const auto& member : item_.members)
            if (member.key != "type" && !contains(known.keys, member.key))
                report(member.value,
                       fmt::format("courier.sources: {} has no meaning for type {}", member.key, known.type));
        if (item_.find(known.keys.front()) == nullptr) {
            report(item_, fmt::format("courier.sources: type {} needs {}", known.type, known.keys.front()));
            return std::nullopt;
        }
        if (known.type == "https") return read_https();
        if (known.type == "nats") return read_nats();
        return read_caep();
    }

  private:
    void report(const YamlNode& node, std::string message, std::string hint = {}) {
        out_.push_back(
            {Severity::error, Place{file_, node.line, node.column}, std::move(message), std::move(hint)});
    }

    SourceSettings read_https() {
        HttpsSettings source;
        source.url = read_url({"{host_id}", "{group}"});
        source.tls = read_tls();
        source.pin = read_pin();
        source.interval_s = seconds("interval", 1, kLongestInterval, source.interval_s);
        source.wait_s = seconds("wait", 0, kLongestWait, source.wait_s);
        return source;
    }

    SourceSettings read_nats() {
        NatsSettings source;
        for (const auto& server : item_.find("servers")->items) {
            if (!server.text.starts_with("nats://") && !server.text.starts_with("tls://"))
                report(server, fmt::format("courier.sources.servers: \"{}\" is no nats:// or tls:// address",
                                           shortened(server.text)));
            if (server.text.find('@') != std::string::npos)
                report(server, "courier.sources.servers: no password belongs into the settings",
                       "name a credentials file");
            source.servers.push_back(server.text);
        }
        if (source.servers.empty()) report(item_, "courier.sources.servers is empty");
        source.bucket = read_stream_name("bucket").value_or(source.bucket);
        source.api_prefix = read_subject("api_prefix");
        source.events = read_stream_name("events").value_or("");
        if (source.events == kNoEvents) source.events.clear();
        source.tls = read_tls();
        source.credentials = read_file_name("credentials");
        return source;
    }

    // What a JetStream bucket or stream may be called (NATS ADR-8, ADR-6).
    std::optional<std::string> read_stream_name(const char* key) {
        const auto* node = item_.find(key);
        if (node == nullptr) return std::nullopt;
        const bool plain = !node->text.empty() && key_part(node->text) == node->text;
        if (!plain)
            report(*node, fmt::format("courier.sources.{}: \"{}\" has other characters than letters, digits, "
                                      "- and _",
                                      key, shortened(node->text)));
        return node->text;
    }

    // Without wildcards: what stands for $JS.API in the hosts' account (NATS ADR-2).
    std::string read_subject(const char* key) {
        const auto* node = item_.find(key);
        if (node == nullptr) return {};
        const bool plain = !node->text.empty() && !node->text.ends_with('.') &&
                           node->text.find_first_of("*> \t\n") == std::string::npos;
        if (!plain)
            report(*node, fmt::format("courier.sources.{}: \"{}\" is no subject without wildcards", key,
                                      shortened(node->text)));
        return node->text;
    }

    SourceSettings read_caep() {
        CaepSettings source;
        source.url = read_url({"{host_id}"});
        source.tls = read_tls();
        source.pin = read_pin();
        source.token_file = read_file_name("token_file");
        source.interval_s = seconds("interval", 1, kLongestInterval, source.interval_s);
        return source;
    }

    // https alone: what a document says is signed, but who asks, and that it was withheld, is not.
    std::string read_url(std::initializer_list<std::string_view> placeholders) {
        const auto& node = *item_.find("url");
        if (node.text.size() > kLongestUrl)
            report(node, fmt::format("courier.sources.url is longer than {} bytes", kLongestUrl));
        std::string rest = node.text;
        for (const auto placeholder : placeholders)
            for (auto at = rest.find(placeholder); at != std::string::npos; at = rest.find(placeholder))
                rest.erase(at, placeholder.size());
        if (!node.text.starts_with("https://") || authority_of(node.text).empty())
            report(node,
                   fmt::format("courier.sources.url: \"{}\" is no https:// address", shortened(node.text)));
        else if (authority_of(node.text).find('{') != std::string::npos ||
                 rest.find_first_of("{} \t\n#") != std::string::npos ||
                 node.text.find('@') != std::string::npos)
            report(node,
                   fmt::format("courier.sources.url: \"{}\" is no address that can be asked",
                               shortened(node.text)),
                   fmt::format("{} may stand in its path; no user, no fragment",
                               fmt::join(placeholders, " and ")));
        return node.text;
    }

    std::string read_pin() {
        const auto* node = item_.find("pin");
        if (node == nullptr) return {};
        if (node->text.size() != kPinLength || !node->text.ends_with('='))
            report(*node, "courier.sources.pin is no SHA-256 in base64",
                   "openssl x509 -pubkey -noout -in CERT | openssl pkey -pubin -outform DER | openssl dgst "
                   "-sha256 -binary | base64");
        return node->text;
    }

    TlsFiles read_tls() {
        TlsFiles files{read_file_name("ca"), read_file_name("client_cert"), read_file_name("client_key")};
        if (files.client_cert.empty() != files.client_key.empty())
            report(item_, "courier.sources: client_cert and client_key go together");
        return files;
    }

    std::string read_file_name(const char* key) {
        const auto* node = item_.find(key);
        if (node == nullptr) return {};
        if (!node->text.starts_with('/') || node->text.find('\n') != std::string::npos)
            report(*node,
                   fmt::format("courier.sources.{}: \"{}\" is no absolute path", key, shortened(node->text)));
        return node->text;
    }

    std::int64_t seconds(const char* key, std::int64_t least, std::int64_t most, std::int64_t otherwise) {
        const auto* node = item_.find(key);
        if (node == nullptr) return otherwise;
        const auto value = parse_duration(node->text).value_or(-1);
        if (value < least || value > most)
            report(*node, fmt::format("courier.sources.{}: \"{}\" is not from {} s to {} s", key,
                                      shortened(node->text), least, most));
        return value;
    }

    const std::string& file_;
    const YamlNode& item_;
    Diagnostics& out_;
};

// Where the settings don't say, it is the first of NATS.
void choose_events_source(CourierSettings& settings, const YamlNode& sources) {
    for (const auto& item : sources.items)
        if (item.find("events") != nullptr) return;
    for (auto& source : settings.sources)
        if (auto* nats = std::get_if<NatsSettings>(&source)) {
            nats->events = kEventStream;
            return;
        }
}

} // namespace

std::string name_of(const SourceSettings& source) {
    if (const auto* https = std::get_if<HttpsSettings>(&source)) return https->url;
    if (const auto* caep = std::get_if<CaepSettings>(&source)) return caep->url;
    const auto& nats = std::get<NatsSettings>(source);
    return "nats " + (nats.servers.empty() ? std::string() : authority_of(nats.servers.front()));
}

const NatsSettings* events_source(const CourierSettings& settings) {
    for (const auto& source : settings.sources)
        if (const auto* nats = std::get_if<NatsSettings>(&source); nats != nullptr && !nats->events.empty())
            return nats;
    return nullptr;
}

Shape courier_shape() {
    const Shape source = map_shape({{"type", word_shape({"https", "nats", "caep_poll"})},
                                    {"url", text_shape()},
                                    {"ca", text_shape()},
                                    {"client_cert", text_shape()},
                                    {"client_key", text_shape()},
                                    {"pin", text_shape()},
                                    {"interval", duration_shape()},
                                    {"wait", duration_shape()},
                                    {"servers", list_shape(text_shape())},
                                    {"bucket", text_shape()},
                                    {"api_prefix", text_shape()},
                                    {"events", text_shape()},
                                    {"credentials", text_shape()},
                                    {"token_file", text_shape()}});
    return map_shape({{"stale_after", duration_shape()}, {"sources", list_shape(source)}});
}

CourierSettings read_courier(const std::string& file, const YamlNode& map, Diagnostics& out) {
    CourierSettings settings;
    if (const auto* stale = map.find("stale_after")) {
        settings.stale_after_s = parse_duration(stale->text).value_or(0);
        if (settings.stale_after_s < 1)
            out.push_back({Severity::error, Place{file, stale->line, stale->column},
                           "courier.stale_after must be at least 1 s"});
    }
    const auto* sources = map.find("sources");
    if (sources == nullptr) return settings;
    for (const auto& item : sources->items) {
        auto source = SourceReader(file, item, out).read();
        if (!source) continue;
        const auto* nats = std::get_if<NatsSettings>(&*source);
        if (nats != nullptr && !nats->events.empty() && events_source(settings) != nullptr)
            out.push_back({Severity::error, Place{file, item.line, item.column},
                           "courier.sources: session events go to one source alone",
                           "leave `events` out of the others; a cluster's servers are one source"});
        settings.sources.push_back(std::move(*source));
    }
    choose_events_source(settings, *sources);
    return settings;
}

} // namespace escort
