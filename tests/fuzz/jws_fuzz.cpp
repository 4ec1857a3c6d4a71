// A raw document out of the spool, which an unprivileged courier fills: split, decoded, verified by the keys
// of keys/, judged. Whatever is not signed by one of them grants nothing.
#include "fuzz.h"

#include "approvals/base64url.h"
#include "approvals/judge.h"
#include "approvals/jws.h"

using namespace escort;

namespace {

TrustSet load_keys() {
    auto trust =
        load_trust(TrustFolders{ESCORT_FUZZ_DIR "/keys/trust.d", ESCORT_FUZZ_DIR "/keys/breakglass.d"});
    fuzz::must(trust && trust->problems.empty() && trust->keys.size() == 4, "the keys are there");
    return std::move(*trust);
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const TrustSet trust = load_keys();
    const auto text = fuzz::text_of(data, size);
    if (const auto bytes = base64url_decode(text))
        fuzz::must(base64url_encode(*bytes) == text, "a value has one text");
    const auto claimed = read_jws_unverified(text);
    DocumentFacts facts;
    const auto judged = judge_document(text, trust, {}, facts);
    fuzz::must(facts.sha256.size() == 64, "every document has a hash");
    if (!judged) {
        fuzz::must(!judged.error().text.empty(), "a refusal says why");
        return 0;
    }
    fuzz::must(claimed && facts.typ == claimed->typ && trust.find(facts.key) != nullptr,
               "what is taken is signed by a trusted key");
    fuzz::must(!facts.issuer.empty(), "what is taken has an issuer");
    return 0;
}
