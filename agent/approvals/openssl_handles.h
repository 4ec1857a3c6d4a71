// What OpenSSL hands out and wants back, and what it is given to read keys with.
#pragma once

#include <cstddef>
#include <memory>
#include <openssl/bio.h>
#include <openssl/ecdsa.h>

namespace escort {

struct BioFree {
    void operator()(BIO* bio) const { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, BioFree>;

struct EcdsaSigFree {
    void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
};
using EcdsaSig = std::unique_ptr<ECDSA_SIG, EcdsaSigFree>;

// A pem_password_cb: nobody is asked on a terminal, as OpenSSL's own would; what is encrypted stays unread.
inline int no_passphrase(char*, int, int, void*) {
    return -1;
}

constexpr std::size_t kKeyFileLimit = std::size_t{64} << 10; // bytes; a PEM key takes less than 1 KiB

} // namespace escort
