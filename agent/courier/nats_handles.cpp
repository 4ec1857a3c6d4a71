#include "courier/nats_handles.h"

#include "base/file.h"
#include "courier/nkey.h"

#include <string_view>
#include <vector>

namespace escort::courier {

namespace {

constexpr std::int64_t kConnectMs = 10'000;
constexpr std::size_t kCredentialsBytes = std::size_t{64} << 10;

} // namespace

std::string nats_error(natsConnection* connection, natsStatus status) {
    const char* text = nullptr;
    if (connection != nullptr) (void)natsConnection_GetLastError(connection, &text);
    if (text == nullptr || *text == '\0') text = nats_GetLastError(nullptr);
    if (text == nullptr || *text == '\0') return natsStatus_GetText(status);
    // "Error: (jsm.c:2867): stream not found": the place in cnats helps nobody who reads a journal.
    std::string_view words = text;
    if (const auto place = words.find(".c:"); place != std::string_view::npos)
        if (const auto end = words.find("): ", place); end != std::string_view::npos)
            words.remove_prefix(end + 3);
    // "Permissions Violation for Publish to "$JS..."": the subject holds a name that is another each time.
    if (const auto quote = words.find(" to \""); quote != std::string_view::npos)
        words = words.substr(0, quote);
    return std::string(words);
}

Result<NatsOptions> nats_options(const NatsSettings& source) {
    natsOptions* made = nullptr;
    if (natsOptions_Create(&made) != NATS_OK) return fail("nats", "no memory");
    NatsOptions options(made);
    std::vector<const char*> servers;
    bool secure = !source.tls.ca.empty();
    for (const auto& server : source.servers) {
        servers.push_back(server.c_str());
        secure = secure || server.starts_with("tls://");
    }
    natsStatus status = natsOptions_SetServers(made, servers.data(), static_cast<int>(servers.size()));
    std::string what = "servers";
    const auto set = [&](const std::string& of, auto call, auto... arguments) {
        if (status != NATS_OK) return;
        what = of;
        status = call(made, arguments...);
    };
    set("name", natsOptions_SetName, "escort");
    set("timeout", natsOptions_SetTimeout, kConnectMs);
    if (secure) set("tls", natsOptions_SetSecure, true);
    if (!source.tls.ca.empty())
        set(source.tls.ca, natsOptions_LoadCATrustedCertificates, source.tls.ca.c_str());
    if (!source.tls.client_cert.empty())
        set(source.tls.client_cert, natsOptions_LoadCertificatesChain, source.tls.client_cert.c_str(),
            source.tls.client_key.c_str());
    if (!source.credentials.empty()) {
        const auto content = read_file(source.credentials, kCredentialsBytes);
        if (!content) return tl::unexpected(content.error());
        if (content->find("NATS USER JWT") != std::string::npos) {
            set(source.credentials, natsOptions_SetUserCredentialsFromFiles, source.credentials.c_str(),
                static_cast<const char*>(nullptr));
        } else {
            const auto half = nkey_public(*content);
            if (!half) return fail(source.credentials, half.error().text());
            set(source.credentials, natsOptions_SetNKeyFromSeed, half->c_str(), source.credentials.c_str());
        }
    }
    if (status != NATS_OK) return fail(what, nats_error(nullptr, status));
    return options;
}

} // namespace escort::courier
