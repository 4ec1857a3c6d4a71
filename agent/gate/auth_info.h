// SSH_AUTH_INFO_0, by which OpenSSH tells PAM how a person proved who they are: the keys in it, as approvals
// name them. Pure. A key of an unknown type or of an odd shape is no key, so that what is bound to it stays
// unproven; it is never guessed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace escort::gate {

struct ProvenKey {
    std::string algorithm;   // as in the key's blob: "ssh-ed25519", "ssh-rsa-cert-v01@openssh.com"
    std::string fingerprint; // "SHA256:..." as `ssh-keygen -lf` prints it; a certificate's: of the key in it
    // Of a certificate (OpenSSH's PROTOCOL.certkeys), a user's; absent: a plain key.
    std::optional<std::string> key_id{};
    std::optional<std::string> ca_fingerprint{};
    std::uint64_t serial = 0;
};

struct AuthInfo {
    std::vector<std::string> methods; // "publickey", "password", "keyboard-interactive/pam", in their order
    std::vector<ProvenKey> keys;      // of `publickey` alone: a host's key (hostbased) is not the person's
};

// `text`: lines, each METHOD or METHOD DETAILS. Lines of another shape are left out.
[[nodiscard]] AuthInfo read_auth_info(std::string_view text);

// A public key or certificate in SSH's wire format (RFC 4253 §6.6); nothing where it is not exactly one of
// the types ed25519, rsa, ecdsa, sk-ed25519, sk-ecdsa.
[[nodiscard]] std::optional<ProvenKey> read_key(std::string_view blob);

} // namespace escort::gate
