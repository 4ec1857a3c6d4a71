#include "approvals/recent.h"

#include <algorithm>
#include <openssl/evp.h>
#include <openssl/sha.h>

namespace escort {

bool Recent::first_time(std::string_view text) {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
    // Where the provider has none every text is another's: said too often, never too seldom.
    if (EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1) return true;
    Mark mark{};
    std::copy_n(digest.begin(), mark.size(), mark.begin());
    const auto end = marks_.begin() + static_cast<std::ptrdiff_t>(used_);
    if (std::find(marks_.begin(), end, mark) != end) return false;
    marks_.at(next_) = mark;
    next_ = (next_ + 1) % marks_.size();
    used_ = std::min(used_ + 1, marks_.size());
    return true;
}

} // namespace escort
