#include "approvals/private_keys.h"

#include "approvals/openssl_handles.h"
#include "base/file.h"

#include <algorithm>
#include <filesystem>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

namespace escort {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFilesLimit = 10'000;

bool holds_private_half(const std::string& pem, const TrustSet& trust) {
    const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    while (bio) { // every block: a certificate or another key may stand before it
        const Pkey key(
            PEM_read_bio_PrivateKey_ex(bio.get(), nullptr, no_passphrase, nullptr, nullptr,
                                       trust.properties.empty() ? nullptr : trust.properties.c_str()));
        // The reader goes past what is no private key; at the end it finds no line to start with.
        const bool end =
            !key && (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE || BIO_eof(bio.get()) == 1);
        ERR_clear_error();
        if (end) return false;
        if (!key) continue;
        const auto alg = algorithm_of(key.get());
        const auto thumbprint =
            alg ? thumbprint_of(key.get(), *alg, trust.properties) : Result<std::string>(fail("", ""));
        if (thumbprint && trust.find(*thumbprint) != nullptr) return true;
    }
    return false;
}

} // namespace

std::vector<std::string> find_private_keys(const std::vector<std::string>& folders, const TrustSet& trust) {
    std::vector<std::string> found;
    std::size_t files = 0;
    for (const std::string& folder : folders) {
        std::error_code error;
        fs::recursive_directory_iterator it(folder, fs::directory_options::skip_permission_denied, error);
        for (; !error && it != fs::recursive_directory_iterator() && files < kFilesLimit;
             it.increment(error)) {
            const std::string path = it->path().string();
            if (!path.ends_with(".key") && !path.ends_with(".pem")) continue;
            ++files;
            auto pem = read_file(path, kKeyFileLimit);
            if (!pem) continue;
            if (holds_private_half(*pem, trust)) found.push_back(path);
            OPENSSL_cleanse(pem->data(), pem->size());
        }
    }
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
}

} // namespace escort
