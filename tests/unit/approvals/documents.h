// Signed documents for the tests: keys made on the spot, a payload as the contract shows it.
#pragma once

#include "approvals/document.h"
#include "approvals/signing.h"
#include "approvals/trust.h"
#include "moments.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <string>

namespace escort::test {

const nlohmann::json kRemoved(nlohmann::json::value_t::discarded); // a value that changed() takes out

// `from` with the value at a JSON pointer replaced, or taken out.
inline std::string changed(nlohmann::json from, const std::string& pointer, const nlohmann::json& value) {
    const nlohmann::json::json_pointer place(pointer);
    if (value.is_discarded())
        from.at(place.parent_pointer()).erase(place.back());
    else
        from[place] = value;
    return from.dump();
}

inline SigningKey make_key(Alg alg = Alg::eddsa) {
    auto key = generate_key(alg);
    REQUIRE(key.has_value());
    return std::move(*key);
}

inline TrustedKey trusted(const SigningKey& key, const std::string& file = "broker.pem") {
    const auto pem = public_pem(key);
    REQUIRE(pem.has_value());
    auto out = trusted_key_from_pem(file, *pem);
    REQUIRE(out.has_value());
    return std::move(*out);
}

inline TrustSet trust_of(const SigningKey& key, const std::string& file = "broker.pem") {
    TrustSet trust;
    trust.keys.push_back(trusted(key, file));
    return trust;
}

inline Approval approval(const std::string& jti, const std::string& account = "azsupport") {
    Approval out;
    out.jti = jti;
    out.account = account;
    out.nbf = kT0;
    out.exp = kT0 + 7200;
    out.engineer.id = "eng-42";
    return out;
}

inline ApprovalList list_of(std::uint64_t seq, std::vector<Approval> approvals,
                            std::vector<std::string> revoked = {}, const std::string& sub = "") {
    ApprovalList out;
    out.issuer = kIss;
    out.audience = "host:i-0abc";
    out.subject = sub;
    out.iat = kT0;
    out.exp = kT0 + 1800;
    out.seq = seq;
    out.approvals = std::move(approvals);
    out.revoked = std::move(revoked);
    return out;
}

inline std::string sign(const SigningKey& key, const std::string& payload,
                        const std::string& typ = kApprovalsType) {
    auto out = sign_jws(key, typ, payload);
    REQUIRE(out.has_value());
    return *out;
}

inline std::string sign(const SigningKey& key, const ApprovalList& list) {
    return sign(key, to_payload(list));
}

} // namespace escort::test
