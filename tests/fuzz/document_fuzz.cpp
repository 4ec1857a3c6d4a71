// A signed payload of each type, through the judge and into the ledger: what a broker may send that is
// trusted and wrong, or taken over. The first byte says the type and the key; the rest is signed here.
#include "fuzz.h"

#include "approvals/judge.h"
#include "approvals/signing.h"
#include "core/ledger.h"
#include "core/presence.h"

using namespace escort;

namespace {

constexpr Moment kNow{1'767'225'700, 500'000 * kNsPerSecond};

struct Signer {
    SigningKey key;
    TrustSet trust;

    explicit Signer(Alg alg, bool break_glass) {
        auto made = generate_key(alg);
        fuzz::must(made.has_value(), "a key can be made");
        key = std::move(*made);
        auto trusted = trusted_key_from_pem("broker.pem", public_pem(key).value());
        fuzz::must(trusted.has_value(), "a key can be trusted");
        trusted->break_glass = break_glass;
        trust.keys.push_back(std::move(*trusted));
    }
};

void check(const ApprovalList& list) {
    fuzz::must(list.exp - list.iat <= kListLifetime && list.seq < std::uint64_t{1} << 53,
               "a list's times and its number have their limits");
    for (const auto& approval : list.approvals) {
        fuzz::must(approval.account.empty() != approval.unit.empty(), "an approval is for one of both");
        fuzz::must(!approval.engineer.id.empty(), "an approval names its engineer");
        fuzz::must(approval.emergency.has_value() == list.break_glass, "emergencies have their own key");
    }
    const auto payload = to_payload(list);
    const auto again = parse_approvals(payload);
    fuzz::must(again && to_payload(*again) == payload, "a list is written and read again");

    Ledger ledger({"i-0abc", {"prod"}, 0});
    const auto change = ledger.accept(list, kNow);
    if (!change) return;
    fuzz::must(!ledger.accept(list, kNow) || change->added.size() <= list.approvals.size(),
               "a list adds what it holds");
    for (const auto& candidate : ledger.all(kNow)) {
        const auto& jti = candidate.approval->jti;
        const bool revoked = std::find(list.revoked.begin(), list.revoked.end(), jti) != list.revoked.end();
        fuzz::must(!revoked || !candidate.admits(), "what is revoked never grants");
        fuzz::must(!candidate.admits() || candidate.deadline_boot_ns > kNow.boot_ns,
                   "what grants now ends later");
        fuzz::must(candidate.deadline_boot_ns <= kNow.boot_at(candidate.approval->exp) ||
                       candidate.approval->exp <= kNow.trusted,
                   "nothing grants past its end");
    }
}

void check(const LeaseDocument& lease) {
    const auto payload = to_payload(lease);
    const auto again = parse_lease(payload);
    fuzz::must(again && to_payload(*again) == payload, "a lease is written and read again");
    PresenceBook book;
    const Presence presence{{lease.issuer, lease.approval}, lease.escort, lease.iat, lease.exp, lease.sha256};
    if (!book.accept(presence, kNow)) return;
    const auto* held = book.find(presence.approval);
    fuzz::must(held != nullptr && held->until({}) <= std::max(kNow.boot_at(lease.exp), kNow.boot_ns) &&
                   held->until(30) <= held->until({}),
               "nobody is present past the lease's end");
}

void check(const RevocationDocument& event) {
    fuzz::must(!event.session.empty() && !event.issuers.empty(), "a revocation names what it revokes");
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Signer signers[] = {Signer(Alg::eddsa, false), Signer(Alg::es256, false),
                                     Signer(Alg::eddsa, true)};
    auto payload = fuzz::text_of(data, size);
    const char choice = fuzz::take_choice(payload);
    if (payload.empty()) return 0; // no compact JWS
    const auto& signer = signers[choice == 'b' ? 2 : choice == 'e' ? 1 : 0];
    const char* const type = choice == 'p' ? kPresenceType : choice == 'r' ? kRevocationType : kApprovalsType;
    const auto raw = sign_jws(signer.key, type, payload);
    fuzz::must(raw.has_value(), "anything can be signed");
    DocumentFacts facts;
    const auto judged = judge_document(*raw, signer.trust, {}, facts);
    fuzz::must(facts.typ == type && facts.key == signer.key.thumbprint, "the signature holds");
    if (judged)
        std::visit([](const auto& document) { check(document); }, *judged);
    else
        fuzz::must(!judged.error().text.empty(), "a refusal says why");
    return 0;
}
