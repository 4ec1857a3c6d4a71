// Where a host's documents come from: `courier:` of the settings (contract §1). Data only; the courier acts
// on it, the daemon and escortctl read what it says of time.
#pragma once

#include "base/diagnostic.h"
#include "policy/shape.h"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace escort {

// Files are read again when they have changed. Empty: the system's authorities; no client certificate.
struct TlsFiles {
    std::string ca;          // PEM bundle
    std::string client_cert; // PEM chain; client_key goes with it
    std::string client_key;
};

struct HttpsSettings {
    std::string url; // with {host_id} and {group} still in it; {group}: asked once for each group
    TlsFiles tls;
    std::string pin; // SHA-256 of the server's SubjectPublicKeyInfo, base64 (RFC 7469 §2.4); or empty
    std::int64_t interval_s = 30; // 1 s to 1 h, between polls where the server doesn't hold them
    std::int64_t wait_s = 25;     // 0 to 5 min: asked for by `Prefer: wait=` (RFC 7240 §4.3); 0: never
};

struct NatsSettings {
    std::vector<std::string> servers;        // nats:// or tls://
    std::string bucket = "escort_documents"; // letters, digits, - and _
    std::string api_prefix; // under which the server offers JetStream's API to hosts; empty: $JS.API
    std::string events;     // stream that session events go to; empty: they don't go there
    TlsFiles tls;
    std::string credentials; // a .creds file (JWT and NKey seed), or a user's NKey seed alone; or empty
};

// RFC 8936, a receiver that polls.
struct CaepSettings {
    std::string url;
    TlsFiles tls;
    std::string pin;
    std::string token_file;       // its first line is sent as `Authorization: Bearer`
    std::int64_t interval_s = 30; // 1 s to 1 h, where the transmitter answers at once
};

using SourceSettings = std::variant<HttpsSettings, NatsSettings, CaepSettings>;

// Addresses that one host asks, each group's counted; a report of more would not be read (feed/report.h).
constexpr std::size_t kMostSources = 64;
constexpr std::size_t kLongestUrl = 512; // bytes

constexpr const char* kEventStream = "ESCORT_EVENTS";

struct CourierSettings {
    std::int64_t stale_after_s = 300; // at least 1; every source failing for longer: agent_degraded
    std::vector<SourceSettings> sources;
};

// The source that session events go to, at most one; nullptr: none.
[[nodiscard]] const NatsSettings* events_source(const CourierSettings& settings);

// What messages call it: its URL, or "nats nats.example.gov:4222". For people: not unique.
[[nodiscard]] std::string name_of(const SourceSettings& source);

// `courier:` as it may look, and reading what fits that shape. Diagnostics name `file`.
[[nodiscard]] Shape courier_shape();
[[nodiscard]] CourierSettings read_courier(const std::string& file, const YamlNode& map, Diagnostics& out);

} // namespace escort
