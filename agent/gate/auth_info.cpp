#include "gate/auth_info.h"

#include "approvals/base64url.h"

#include <algorithm>
#include <array>
#include <openssl/evp.h>

namespace escort::gate {

namespace {

constexpr std::uint32_t kUserCertificate = 1; // PROTOCOL.certkeys: 2 is a host's
constexpr std::size_t kKeyIdBytes = 1024;     // contract §4: of a string
constexpr std::size_t kMethods = 16;          // AuthenticationMethods has a few at most

// A key's type, and how many strings (RFC 4251 §5; an mpint has a string's shape) make it up.
struct KeyType {
    std::string_view name;
    std::string_view certificate; // its type as a certificate
    int parts;
};

constexpr std::array<KeyType, 7> kTypes = {{
    {"ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com", 1},
    {"ssh-rsa", "ssh-rsa-cert-v01@openssh.com", 2},
    {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256-cert-v01@openssh.com", 2},
    {"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384-cert-v01@openssh.com", 2},
    {"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521-cert-v01@openssh.com", 2},
    {"sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519-cert-v01@openssh.com", 2},
    {"sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", 3},
}};

// Reads SSH's wire format from the front. After a piece that isn't there it is broken and gives nothing more.
class Wire {
  public:
    explicit Wire(std::string_view bytes) : rest_(bytes) {}

    std::uint64_t number(std::size_t bytes) {
        std::uint64_t value = 0;
        for (const char c : take(bytes))
            value = value << 8 | static_cast<unsigned char>(c);
        return value;
    }
    std::string_view string() { return take(number(4)); }
    [[nodiscard]] bool at_end() const { return !broken_ && rest_.empty(); }

  private:
    std::string_view take(std::uint64_t bytes) {
        if (broken_ || bytes > rest_.size()) {
            broken_ = true;
            return {};
        }
        const auto piece = rest_.substr(0, bytes);
        rest_.remove_prefix(bytes);
        return piece;
    }

    std::string_view rest_;
    bool broken_ = false;
};

std::string as_string(std::string_view bytes) {
    std::string wire;
    for (int shift = 24; shift >= 0; shift -= 8)
        wire.push_back(static_cast<char>(bytes.size() >> shift & 0xff));
    return wire.append(bytes);
}

std::optional<std::string> fingerprint(std::string_view blob) {
    std::array<unsigned char, 32> digest{};
    if (EVP_Q_digest(nullptr, "SHA256", nullptr, blob.data(), blob.size(), digest.data(), nullptr) != 1)
        return std::nullopt;
    std::string text = base64url_encode(
        {reinterpret_cast<const char*>(digest.data()), digest.size()}); // no padding, as here
    std::replace(text.begin(), text.end(), '-', '+');
    std::replace(text.begin(), text.end(), '_', '/');
    return "SHA256:" + text;
}

// Standard base64 (RFC 4648 §4) with its padding.
std::optional<std::string> base64_decode(std::string_view text) {
    if (text.size() % 4 != 0 || text.find_first_of("-_") != std::string_view::npos) return std::nullopt;
    for (int i = 0; i < 2 && text.ends_with('='); ++i)
        text.remove_suffix(1);
    std::string url(text);
    std::replace(url.begin(), url.end(), '+', '-');
    std::replace(url.begin(), url.end(), '/', '_');
    return base64url_decode(url);
}

bool is_printable(std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20 || byte == 0x7f;
    });
}

// What follows the key itself: serial, type, key id, principals, after, before, critical options, extensions,
// reserved, the CA's key, its signature (which sshd has checked).
bool read_certificate(Wire& wire, ProvenKey& key) {
    key.serial = wire.number(8);
    const auto type = static_cast<std::uint32_t>(wire.number(4));
    const std::string_view key_id = wire.string();
    (void)wire.string(); // principals
    (void)wire.number(8);
    (void)wire.number(8);
    for (int i = 0; i < 3; ++i)
        (void)wire.string(); // critical options, extensions, reserved
    const std::string_view authority = wire.string();
    const std::string_view signature = wire.string();
    if (!wire.at_end() || type != kUserCertificate || authority.empty() || signature.empty()) return false;
    if (key_id.size() > kKeyIdBytes || !is_printable(key_id)) return false;
    key.key_id = std::string(key_id);
    key.ca_fingerprint = fingerprint(authority);
    return key.ca_fingerprint.has_value();
}

// "ALG BASE64", the type in the blob being the one that is named.
std::optional<ProvenKey> read_key_text(std::string_view text) {
    const std::size_t blank = text.find(' ');
    if (blank == std::string_view::npos) return std::nullopt;
    const auto blob = base64_decode(text.substr(blank + 1));
    if (!blob) return std::nullopt;
    auto key = read_key(*blob);
    if (!key || key->algorithm != text.substr(0, blank)) return std::nullopt;
    return key;
}

} // namespace

std::optional<ProvenKey> read_key(std::string_view blob) {
    Wire wire(blob);
    const std::string_view name = wire.string();
    const auto type = std::find_if(kTypes.begin(), kTypes.end(), [&](const KeyType& each) {
        return name == each.name || name == each.certificate;
    });
    if (type == kTypes.end()) return std::nullopt;
    const bool certified = name == type->certificate;
    if (certified) (void)wire.string(); // the CA's nonce

    std::string plain = as_string(type->name);
    for (int i = 0; i < type->parts; ++i) {
        const std::string_view part = wire.string();
        if (part.empty()) return std::nullopt;
        plain += as_string(part);
    }
    ProvenKey key;
    key.algorithm = std::string(name);
    if (certified ? !read_certificate(wire, key) : !wire.at_end()) return std::nullopt;
    const auto print = fingerprint(plain);
    if (!print) return std::nullopt;
    key.fingerprint = *print;
    return key;
}

AuthInfo read_auth_info(std::string_view text) {
    AuthInfo info;
    while (!text.empty() && info.methods.size() < kMethods) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        const std::size_t blank = line.find(' ');
        const std::string_view method = line.substr(0, blank);
        if (method.empty() || !is_printable(line)) continue;
        info.methods.emplace_back(method);
        if (method != "publickey" || blank == std::string_view::npos) continue;
        if (auto key = read_key_text(line.substr(blank + 1))) info.keys.push_back(std::move(*key));
    }
    return info;
}

} // namespace escort::gate
