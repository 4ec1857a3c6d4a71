// Leases and revocation events as documents: parsing, keys, issuers.
#include "approvals/judge.h"

#include "documents.h"

#include <nlohmann/json.hpp>

using namespace escort;
using namespace escort::test;
using nlohmann::json;

namespace {

const json kLease{{"iss", kIss},     {"aud", "host:i-0abc"},   {"iat", kT0},
                  {"exp", kT0 + 30}, {"approval", "apr-19f3"}, {"escort", "esc-9"}};

const json kEvent{
    {"iss", kIss},
    {"jti", "set-1"},
    {"iat", kT0},
    {"aud", "host:i-0abc"},
    {"txn", 8675309},
    {"sub_id",
     {{"format", "complex"},
      {"user", {{"format", "email"}, {"email", "x@example.com"}}},
      {"session", {{"format", "opaque"}, {"id", "apr-19f3"}}}}},
    {"events",
     {{kSessionRevoked, {{"event_timestamp", kT0}, {"reason_admin", {{"en", "Policy violation"}}}}}}}};

struct Row {
    std::string pointer;
    json value; // or kRemoved
    std::string expected;
};

template <typename T>
std::string said(const Judged<T>& result) {
    return result ? "accepted" : std::string(to_string(result.error().code)) + " " + result.error().text;
}

std::string word(const std::string& jws, const TrustSet& trust, const IssuerRules& rules = std::nullopt) {
    DocumentFacts facts;
    const auto document = judge_document(jws, trust, rules, facts);
    return document ? "accepted" : to_string(document.error().code);
}

} // namespace

TEST_CASE("lease: the contract's claims, every value in its place, and back") {
    const auto lease = parse_lease(kLease.dump());
    REQUIRE(lease.has_value());
    CHECK(lease->issuer == kIss);
    CHECK(lease->audience == "host:i-0abc");
    CHECK(lease->iat == kT0);
    CHECK(lease->exp == kT0 + 30);
    CHECK(lease->approval == "apr-19f3");
    CHECK(lease->escort == "esc-9");
    CHECK(json::parse(to_payload(*lease)) == kLease);
}

TEST_CASE("lease: one claim changed") {
    const std::string missing_int = ": is missing";
    for (const Row& row : std::vector<Row>{
             {"/iss", kRemoved, "invalid iss: is missing"},
             {"/aud", kRemoved, "invalid aud: is missing"},
             {"/aud", json::array({"host:i-0abc"}), "invalid aud: must be a string"},
             {"/aud", "i-0abc", "invalid aud: must be host:ID or group:NAME"},
             {"/aud", "group:prod", "accepted"},
             {"/iat", kRemoved, "invalid iat: is missing"},
             {"/iat", 1.5, "invalid iat: must be an integer"},
             {"/exp", kRemoved, "invalid exp: is missing"},
             {"/exp", kT0, "accepted"}, // the escort is gone
             {"/exp", 0, "accepted"},
             {"/exp", kT0 + 86'400, "accepted"},
             {"/exp", kT0 + 86'401, "invalid exp: is more than 24 h after iat"},
             {"/approval", kRemoved, "invalid approval: is missing"},
             {"/approval", "", "invalid approval: is empty"},
             {"/escort", kRemoved, "invalid escort: is missing"},
             {"/escort", {{"id", "esc-9"}}, "invalid escort: must be a string"},
             {"/seq", 1, "invalid seq: is unknown"},
         }) {
        CAPTURE(row.pointer);
        CAPTURE(row.value.is_discarded());
        CHECK(said(parse_lease(changed(kLease, row.pointer, row.value))).starts_with(row.expected));
    }
    CHECK(said(parse_lease("[]")).starts_with("malformed"));
    CHECK(said(parse_lease("")).starts_with("malformed"));
}

TEST_CASE("revocation: a CAEP session-revoked event, with claims that are none of our business") {
    const auto event = parse_revocation(kEvent.dump());
    REQUIRE(event.has_value());
    CHECK(event->issuer == kIss);
    CHECK(event->jti == "set-1");
    CHECK(event->iat == kT0);
    CHECK(event->audience == std::vector<std::string>{"host:i-0abc"});
    CHECK(event->session == "apr-19f3");
    const auto again = parse_revocation(to_payload(*event));
    REQUIRE(again.has_value());
    CHECK(again->session == "apr-19f3");
    CHECK(again->audience == event->audience);
}

TEST_CASE("revocation: one claim changed") {
    const std::string event =
        std::string("/events/") + "https:~1~1schemas.openid.net~1secevent~1caep~1event-type~1session-revoked";
    for (const Row& row : std::vector<Row>{
             {"/iss", kRemoved, "invalid iss: is missing"},
             {"/jti", kRemoved, "invalid jti: is missing"},
             {"/jti", "", "invalid jti: is empty"},
             {"/iat", kRemoved, "invalid iat: is missing"},
             {"/iat", "now", "invalid iat: must be an integer"},
             {"/aud", kRemoved, "accepted"},
             {"/aud", json::array({"host:other", "host:i-0abc"}), "accepted"},
             {"/aud", json::array(), "invalid aud: is empty"},
             {"/aud", "", "invalid aud: is empty"},
             {"/aud", 17, "invalid aud: must be a list of strings"},
             {"/aud", json::array({1}), "invalid aud[0]: must be a string"},
             {"/exp", kT0, "accepted"},
             {"/sub", "x", "accepted"},
             {"/sub_id", kRemoved, "invalid sub_id: is missing"},
             {"/sub_id", "apr-19f3", "invalid sub_id: must be an object"},
             {"/sub_id/format", kRemoved, "invalid sub_id.format: is missing"},
             {"/sub_id/format", "opaque", "invalid sub_id.format: must be complex"},
             {"/sub_id/session", kRemoved, "invalid sub_id.session: is missing"},
             {"/sub_id/session/format", "email", "invalid sub_id.session.format: must be opaque"},
             {"/sub_id/session/id", kRemoved, "invalid sub_id.session.id: is missing"},
             {"/sub_id/session/id", "", "invalid sub_id.session.id: is empty"},
             {"/sub_id/session/extra", 1, "invalid sub_id.session.extra: is unknown"},
             {"/events", kRemoved, "invalid events: is missing"},
             {"/events", json::array({kSessionRevoked}), "invalid events: must be an object"},
             {"/events", json::object(), "invalid events." + std::string(kSessionRevoked) + ": is missing"},
             {event, kRemoved, "invalid events." + std::string(kSessionRevoked) + ": is missing"},
             {event, "x", "invalid events." + std::string(kSessionRevoked) + ": must be an object"},
             {event, json::object(), "accepted"},
             {"/events/other", json::object(), "accepted"},
         }) {
        CAPTURE(row.pointer);
        CAPTURE(row.expected);
        const std::string result = said(parse_revocation(changed(kEvent, row.pointer, row.value)));
        CAPTURE(result);
        CHECK(result.starts_with(row.expected));
    }
}

TEST_CASE("revocation: what looks like a session's id") {
    CHECK(is_session_id("7f3a2c1e-42"));
    CHECK(is_session_id("00000000-1"));
    for (const char* other : {"", "7f3a2c1e", "7f3a2c1e-", "7f3a2c1-42", "7f3a2c1e-4x", "7F3A2C1E-42",
                              "7f3a2c1e_42", "apr-19f3", "7f3a2c1e--42", "7f3a2c1g-1"})
        CHECK_FALSE(is_session_id(other));
}

TEST_CASE("RS256: for revocation events alone") {
    const SigningKey rsa = make_key(Alg::rs256);
    TrustSet trust = trust_of(rsa);
    CHECK(word(sign(rsa, kEvent.dump(), kRevocationType), trust) == "accepted");
    CHECK(word(sign(rsa, kLease.dump(), kPresenceType), trust) == "algorithm_refused");
    CHECK(word(sign(rsa, list_of(1, {approval("a")})), trust) == "algorithm_refused");
    std::string broken = sign(rsa, kEvent.dump(), kRevocationType);
    broken[broken.size() - 20] = broken[broken.size() - 20] == 'A' ? 'B' : 'A';
    CHECK(word(broken, trust) == "bad_signature");
    CHECK(word(sign(make_key(Alg::rs256), kEvent.dump(), kRevocationType), trust) == "untrusted_key");
    // The key's own algorithm counts, not the header's word.
    const SigningKey other = make_key();
    trust.keys.push_back(trusted(other, "other.pem"));
    const std::string header = R"({"alg":"RS256","kid":")" + other.thumbprint + R"(","typ":"secevent+jwt"})";
    CHECK(word(sign_jws_raw(other, header, kEvent.dump()).value(), trust) == "algorithm_refused");
}

TEST_CASE("issuers: each type needs its word; whom an issuer may revoke and lease for") {
    const SigningKey key = make_key();
    const TrustSet trust = trust_of(key);
    const auto rule = [](std::set<std::string> types, std::vector<std::string> revokes_for = {}) {
        return std::vector{
            IssuerRule{kIss, {"broker.pem"}, std::move(types), std::nullopt, std::move(revokes_for)}};
    };
    const std::string lease = sign(key, kLease.dump(), kPresenceType);
    const std::string event = sign(key, kEvent.dump(), kRevocationType);
    CHECK(word(lease, trust, rule({"presence"})) == "accepted");
    CHECK(word(lease, trust, rule({"approvals", "revocation"})) == "issuer_not_allowed");
    CHECK(word(event, trust, rule({"revocation"})) == "accepted");
    CHECK(word(event, trust, rule({"approvals", "presence"})) == "issuer_not_allowed");

    const auto issuers = [&](const std::string& jws, const IssuerRules& rules) {
        DocumentFacts facts;
        const auto document = judge_document(jws, trust, rules, facts);
        REQUIRE(document.has_value());
        const auto* as_lease = std::get_if<LeaseDocument>(&*document);
        return as_lease ? as_lease->issuers : std::get<RevocationDocument>(*document).issuers;
    };
    using Names = std::vector<std::string>;
    CHECK(issuers(lease, std::nullopt) == Names{kIss});
    CHECK(issuers(lease, rule({"presence"})) == Names{kIss});
    CHECK(issuers(event, rule({"revocation"}, {"https://a", kIss, "https://a"})) == Names{kIss, "https://a"});
    // An entry for another type lends nothing.
    auto two = rule({"presence"});
    two.push_back(rule({"revocation"}, {"https://a"})[0]);
    CHECK(issuers(lease, two) == Names{kIss});
    CHECK(issuers(event, two) == Names{kIss, "https://a"});
}

TEST_CASE("judging: the facts of a lease and of an event") {
    const SigningKey key = make_key();
    const TrustSet trust = trust_of(key);
    DocumentFacts lease;
    REQUIRE(judge_document(sign(key, kLease.dump(), kPresenceType), trust, std::nullopt, lease));
    CHECK(lease.kind() == DocumentKind::presence);
    CHECK(lease.about == "apr-19f3");
    CHECK(lease.exp == kT0 + 30);
    DocumentFacts event;
    REQUIRE(judge_document(sign(key, kEvent.dump(), kRevocationType), trust, std::nullopt, event));
    CHECK(event.kind() == DocumentKind::revocation);
    CHECK(event.about == "apr-19f3");
    CHECK(event.audience == "host:i-0abc");
    CHECK_FALSE(DocumentFacts{}.kind());
    // One type's payload under another's name.
    CHECK(word(sign(key, kLease.dump(), kRevocationType), trust) == "invalid");
    CHECK(word(sign(key, kEvent.dump(), kPresenceType), trust) == "invalid");
    CHECK(word(sign(key, list_of(1, {})), trust) == "accepted");
    CHECK(word(sign(key, to_payload(list_of(1, {})), kPresenceType), trust) == "invalid");
}

TEST_CASE("break-glass: what its keys may sign, and no others") {
    const SigningKey emergency = make_key();
    const SigningKey normal = make_key();
    TrustSet trust = trust_of(normal);
    trust.keys.push_back(trusted(emergency, "emergency.pem"));
    trust.keys.back().break_glass = true;
    const auto list = [] {
        Approval one = approval("brk-1");
        one.emergency = Emergency{"CISO on duty", "broker down"};
        ApprovalList out = list_of(1, {one});
        out.exp = kT0 + 4 * 3600;
        return out;
    };
    DocumentFacts facts;
    const auto good = judge_document(sign(emergency, list()), trust, std::nullopt, facts);
    REQUIRE(good.has_value());
    CHECK(std::get<ApprovalList>(*good).break_glass);
    CHECK(std::get<ApprovalList>(*good).approvals[0].emergency->authority == "CISO on duty");
    CHECK(facts.break_glass);
    CHECK(word(sign(emergency, list()), trust, std::vector<IssuerRule>{}) ==
          "accepted"); // the folder is the rule
    CHECK(word(sign(normal, list()), trust) == "invalid");
    CHECK(word(sign(normal, list_of(1, {approval("a")})), trust) == "accepted");

    const auto text = [&](const ApprovalList& bad) {
        DocumentFacts unused;
        const auto refused = judge_document(sign(emergency, bad), trust, std::nullopt, unused);
        REQUIRE_FALSE(refused.has_value());
        CHECK(refused.error().code == RefusalCode::invalid);
        return refused.error().text;
    };
    ApprovalList bad = list();
    bad.approvals.push_back(approval("plain"));
    CHECK(text(bad).starts_with("approvals[1].emergency: is missing"));
    bad = list();
    bad.audience = "group:prod";
    CHECK(text(bad).starts_with("aud: must be one host"));
    bad = list();
    bad.exp += 1;
    CHECK(text(bad).starts_with("exp: is more than 4 h"));
    bad = list();
    bad.approvals[0].exp = kT0 + 4 * 3600 + 1;
    CHECK(text(bad).starts_with("approvals[0].exp: is more than 4 h"));
    bad = list();
    bad.revoked = {"a"};
    CHECK(text(bad).starts_with("revoked: "));
    CHECK(word(sign(emergency, kLease.dump(), kPresenceType), trust) == "issuer_not_allowed");
    CHECK(word(sign(emergency, kEvent.dump(), kRevocationType), trust) == "issuer_not_allowed");
}
