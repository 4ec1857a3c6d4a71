// SSH_AUTH_INFO_0, which a person who logs in fills with keys and certificates of their own making. First
// byte 'k': a key's blob; else the lines.
#include "fuzz.h"

#include "gate/auth_info.h"

using namespace escort;

namespace {

void check(const gate::ProvenKey& key) {
    constexpr std::string_view kPrefix = "SHA256:";
    fuzz::must(!key.algorithm.empty(), "a key has an algorithm");
    fuzz::must(key.fingerprint.starts_with(kPrefix) && key.fingerprint.size() == kPrefix.size() + 43,
               "a fingerprint is 43 characters");
    fuzz::must(key.key_id.has_value() == key.ca_fingerprint.has_value(), "only certificates have an id");
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto text = fuzz::text_of(data, size);
    if (fuzz::take_choice(text) == 'k') {
        if (const auto key = gate::read_key(text)) check(*key);
        return 0;
    }
    const auto info = gate::read_auth_info(text);
    fuzz::must(info.keys.size() <= info.methods.size(), "a line holds one key at most");
    for (const auto& key : info.keys)
        check(key);
    return 0;
}
