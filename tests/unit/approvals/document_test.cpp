#include "approvals/document.h"

#include "documents.h"

#include <nlohmann/json.hpp>

using namespace escort;
using namespace escort::test;
using nlohmann::json;

namespace {

// The contract's own example (§4), with a fingerprint of the right shape.
constexpr const char* kExample =
    R"({"iss":"https://broker.example.gov","aud":"host:i-0abc","iat":1767225600,"exp":1767226500,"seq":812,
 "approvals":[{"jti":"apr-19f3","account":"azsupport","nbf":1767225600,"exp":1767232800,
   "engineer":{"id":"eng-42","name":"J. Doe","employer":"Vendor Inc.","citizenship":["US"],"screening":["tier3"],
               "location":{"country":"US","asserted_by":"device-posture","at":1767225590}},
   "escort":{"id":"esc-9","citizenship":["US"],"screening":["tier5"]},
   "ticket":{"system":"servicenow","id":"INC0012345"},
   "approvers":["iso-3"],
   "source":["203.0.113.0/24"],
   "ssh":{"fingerprints":["SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"],"key_ids":["eng-42"]},
   "also":[],
   "max_sessions":1,"max_duration":7200}],
 "revoked":["apr-0001"]})";

// "accepted", or "WORD TEXT".
std::string judged(const std::string& payload) {
    const auto list = parse_approvals(payload);
    return list ? "accepted" : std::string(to_string(list.error().code)) + " " + list.error().text;
}

// The example, changed.
std::string changed(const std::string& pointer, const json& value) {
    return escort::test::changed(json::parse(kExample), pointer, value);
}

json strings(std::size_t count, const std::string& text) {
    json out = json::array();
    for (std::size_t i = 0; i < count; ++i)
        out.push_back(text);
    return out;
}

} // namespace

TEST_CASE("document: the contract's example, every value in its place, and back") {
    const auto list = parse_approvals(kExample);
    REQUIRE(list.has_value());
    CHECK(list->issuer == "https://broker.example.gov");
    CHECK(list->audience == "host:i-0abc");
    CHECK(list->subject.empty());
    CHECK(list->iat == 1767225600);
    CHECK(list->exp == 1767226500);
    CHECK(list->seq == 812);
    CHECK(list->revoked == std::vector<std::string>{"apr-0001"});
    REQUIRE(list->approvals.size() == 1);
    const Approval& a = list->approvals[0];
    CHECK(a.jti == "apr-19f3");
    CHECK(a.account == "azsupport");
    CHECK(a.unit.empty());
    CHECK(a.nbf == 1767225600);
    CHECK(a.exp == 1767232800);
    CHECK(a.engineer.id == "eng-42");
    CHECK(a.engineer.name == "J. Doe");
    CHECK(a.engineer.employer == "Vendor Inc.");
    CHECK(a.engineer.citizenship == std::vector<std::string>{"US"});
    CHECK(a.engineer.screening == std::vector<std::string>{"tier3"});
    CHECK(a.engineer.location->country == "US");
    CHECK(a.engineer.location->asserted_by == "device-posture");
    CHECK(a.engineer.location->at == 1767225590);
    CHECK(a.escort->id == "esc-9");
    CHECK(a.escort->screening == std::vector<std::string>{"tier5"});
    CHECK(a.ticket->system == "servicenow");
    CHECK(a.ticket->id == "INC0012345");
    CHECK(a.approvers == std::vector<std::string>{"iso-3"});
    CHECK(a.source == std::vector<std::string>{"203.0.113.0/24"});
    CHECK(a.ssh.fingerprints.size() == 1);
    CHECK(a.ssh.key_ids == std::vector<std::string>{"eng-42"});
    CHECK(a.also.empty());
    CHECK(a.max_sessions == 1u);
    CHECK(a.max_duration == 7200);
    CHECK_FALSE(a.emergency);

    json expected = json::parse(kExample);
    expected["approvals"][0].erase("also"); // empty lists are not written
    CHECK(json::parse(to_payload(*list)) == expected);
}

TEST_CASE("document: what may be left out") {
    for (const char* pointer :
         {"/revoked", "/approvals/0/escort", "/approvals/0/ticket", "/approvals/0/approvers",
          "/approvals/0/source", "/approvals/0/ssh", "/approvals/0/also", "/approvals/0/max_sessions",
          "/approvals/0/max_duration", "/approvals/0/engineer/name", "/approvals/0/engineer/employer",
          "/approvals/0/engineer/citizenship", "/approvals/0/engineer/screening",
          "/approvals/0/engineer/location", "/approvals/0/ticket/system"}) {
        CAPTURE(pointer);
        CHECK(judged(changed(pointer, kRemoved)) == "accepted");
    }
    CHECK(judged(changed("/approvals", json::array())) == "accepted");
    CHECK(judged(changed("/sub", "second")) == "accepted");
    json unit = json::parse(kExample);
    unit["approvals"][0].erase("account");
    unit["approvals"][0]["unit"] = "walinuxagent.service";
    CHECK(judged(unit.dump()) == "accepted");
}

TEST_CASE("document: what is wrong is named by its path") {
    struct Row {
        const char* pointer;
        json value;
        const char* expected;
    };
    const std::string long_text(1025, 'a');
    const std::vector<Row> rows{
        {"/iss", kRemoved, "invalid iss: is missing"},
        {"/iss", "", "invalid iss: is empty"},
        {"/iss", 5, "invalid iss: must be a string"},
        {"/aud", kRemoved, "invalid aud: is missing"},
        {"/aud", json::array({"host:i-0abc"}), "invalid aud: must be a string"},
        {"/aud", "i-0abc", "invalid aud: must be host:ID or group:NAME"},
        {"/aud", "host:", "invalid aud: must be host:ID or group:NAME"},
        {"/sub", 5, "invalid sub: must be a string"},
        {"/iat", kRemoved, "invalid iat: is missing"},
        {"/iat", "1767225600", "invalid iat: must be an integer"},
        {"/iat", 1767225600.5, "invalid iat: must be an integer"},
        {"/iat", -1, "invalid iat: must be an integer"},
        {"/exp", 1767225600, "invalid exp: must be after iat"},
        {"/exp", 1767225600 + 86'400, "accepted"},
        {"/exp", 1767225600 + 86'401, "invalid exp: is more than 24 h after iat"},
        {"/seq", kRemoved, "invalid seq: is missing"},
        {"/seq", -1, "invalid seq: must be an integer"},
        {"/seq", 9007199254740991, "accepted"},
        {"/seq", 9007199254740992, "invalid seq: must be an integer"},
        {"/seq", 18446744073709551615ULL, "invalid seq: must be an integer"},
        {"/seq", true, "invalid seq: must be an integer"},
        {"/approvals", kRemoved, "invalid approvals: is missing"},
        {"/approvals", nullptr, "invalid approvals: must be a list"},
        {"/approvals", json::object(), "invalid approvals: must be a list"},
        {"/approvals/0", "apr", "invalid approvals[0]: must be an object"},
        {"/approvals/1", json::array(), "invalid approvals[1]: must be an object"},
        {"/revoked", "apr", "invalid revoked: must be a list of strings"},
        {"/revoked/0", 1, "invalid revoked[0]: must be a string"},
        {"/revoked", strings(64, "r"), "accepted"},
        {"/revoked", strings(65, "r"), "invalid revoked: has more than 64 entries"},
        {"/nbf", 1, "invalid nbf: is unknown"},
        {"/jti", "x", "invalid jti: is unknown"},
        {"/approvals/0/jti", kRemoved, "invalid approvals[0].jti: is missing"},
        {"/approvals/0/jti", "", "invalid approvals[0].jti: is empty"},
        {"/approvals/0/account", kRemoved, "invalid approvals[0].account: is missing, and no unit"},
        {"/approvals/0/account", "", "invalid approvals[0].account: is empty"},
        {"/approvals/0/unit", "x.service", "invalid approvals[0].account: stands beside a unit"},
        {"/approvals/0/nbf", kRemoved, "invalid approvals[0].nbf: is missing"},
        {"/approvals/0/nbf", 1767232800, "invalid approvals[0].exp: must be after nbf"},
        {"/approvals/0/exp", 1e300, "invalid approvals[0].exp: must be an integer"},
        {"/approvals/0/engineer", kRemoved, "invalid approvals[0].engineer: is missing"},
        {"/approvals/0/engineer", "eng-42", "invalid approvals[0].engineer: must be an object"},
        {"/approvals/0/engineer/id", kRemoved, "invalid approvals[0].engineer.id: is missing"},
        {"/approvals/0/engineer/id", long_text,
         "invalid approvals[0].engineer.id: is longer than 1024 bytes"},
        {"/approvals/0/engineer/id", "a\nb", "invalid approvals[0].engineer.id: holds a control character"},
        {"/approvals/0/engineer/id", std::string("a\0b", 3),
         "invalid approvals[0].engineer.id: holds a control character"},
        {"/approvals/0/engineer/citizenship", "US",
         "invalid approvals[0].engineer.citizenship: must be a list"},
        {"/approvals/0/engineer/citizenship/1", "us",
         "invalid approvals[0].engineer.citizenship[1]: must be two capital"},
        {"/approvals/0/engineer/citizenship/1", "USA",
         "invalid approvals[0].engineer.citizenship[1]: must be two capital"},
        {"/approvals/0/engineer/screening", strings(65, "t"),
         "invalid approvals[0].engineer.screening: has more than 64 entries"},
        {"/approvals/0/engineer/location/country", kRemoved,
         "invalid approvals[0].engineer.location.country: is missing"},
        {"/approvals/0/engineer/location/at", "now",
         "invalid approvals[0].engineer.location.at: must be an integer"},
        {"/approvals/0/engineer/location/city", "X",
         "invalid approvals[0].engineer.location.city: is unknown"},
        {"/approvals/0/engineer/phone", "1", "invalid approvals[0].engineer.phone: is unknown"},
        {"/approvals/0/escort/id", kRemoved, "invalid approvals[0].escort.id: is missing"},
        {"/approvals/0/escort/name", "E", "invalid approvals[0].escort.name: is unknown"},
        {"/approvals/0/ticket/id", kRemoved, "invalid approvals[0].ticket.id: is missing"},
        {"/approvals/0/approvers/0", "", "invalid approvals[0].approvers[0]: is empty"},
        {"/approvals/0/source/0", "203.0.113.0", "invalid approvals[0].source[0]: must be a network"},
        {"/approvals/0/source/0", "203.0.113.0/33", "invalid approvals[0].source[0]: must be a network"},
        {"/approvals/0/source/0", "203.0.113/24", "invalid approvals[0].source[0]: must be a network"},
        {"/approvals/0/source/0", "2001:db8::/32", "accepted"},
        {"/approvals/0/source/0", "2001:db8::/129", "invalid approvals[0].source[0]: must be a network"},
        {"/approvals/0/source/0", "0.0.0.0/00", "invalid approvals[0].source[0]: must be a network"},
        {"/approvals/0/source/0", "10.0.0.0/-1", "invalid approvals[0].source[0]: must be a network"},
        {"/approvals/0/ssh/fingerprints/0", "SHA256:short",
         "invalid approvals[0].ssh.fingerprints[0]: must be SHA256"},
        {"/approvals/0/ssh/fingerprints/0", "MD5:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
         "invalid approvals[0].ssh.fingerprints[0]: must be SHA256"},
        {"/approvals/0/max_sessions", 0, "invalid approvals[0].max_sessions: must be an integer from 1"},
        {"/approvals/0/max_sessions", 4294967295, "accepted"},
        {"/approvals/0/max_sessions", 4294967296,
         "invalid approvals[0].max_sessions: must be an integer from 1"},
        {"/approvals/0/max_duration", 0, "invalid approvals[0].max_duration: must be an integer from 1"},
        {"/approvals/0/note", "x", "invalid approvals[0].note: is unknown"},
        {"/approvals/0/emergency", {{"authority", "x"}, {"reason", "y"}}, "accepted"},
        {"/approvals/0/emergency", {{"authority", "x"}}, "invalid approvals[0].emergency.reason: is missing"},
        {"/approvals/0/emergency",
         {{"authority", ""}, {"reason", "y"}},
         "invalid approvals[0].emergency.authority: is empty"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.pointer);
        const std::string result = judged(changed(row.pointer, row.value));
        CAPTURE(result);
        CHECK(result.starts_with(row.expected));
    }
}

TEST_CASE("document: a jti stands once in a list") {
    json twice = json::parse(kExample);
    twice["approvals"].push_back(twice["approvals"][0]);
    CHECK(judged(twice.dump()) == "invalid approvals[1].jti: 'apr-19f3' is there twice");
}

TEST_CASE("document: broken JSON") {
    const std::string text = kExample;
    for (std::size_t length = 0; length + 1 < text.size(); length += 7)
        CHECK_FALSE(parse_approvals(text.substr(0, length)));
    const auto with = [&](const std::string& from, const std::string& to) {
        std::string out = text;
        out.replace(out.find(from), from.size(), to);
        return judged(out);
    };
    CHECK(with("\"seq\":812", "\"seq\":812,\"seq\":812").starts_with("invalid seq: is there twice"));
    CHECK(with("\"jti\":", "\"jti\":\"x\",\"jti\":").starts_with("invalid approvals[0].jti: is there twice"));
    CHECK(with("\"country\":", "\"country\":\"US\",\"country\":")
              .starts_with("invalid approvals[0].engineer.location.country: is there twice"));
    CHECK(with("\"approvals\":[", "\"approvals\":[],\"approvals\":[")
              .starts_with("invalid approvals: is there twice"));
    CHECK(with("J. Doe", "J. \xff"
                         "Doe")
              .starts_with("malformed "));
    CHECK(with("J. Doe", "J. \xed\xa0\x80").starts_with("malformed ")); // a surrogate in UTF-8
    CHECK(with("J. Doe", "J. \\ud800").starts_with("malformed "));
    CHECK(with("J. Doe", "J. D\xc3\xb6"
                         "e") == "accepted");
    CHECK(with("812", "0812").starts_with("malformed "));
    CHECK(with("812", "NaN").starts_with("malformed "));
    CHECK(with("812", "1e400").starts_with("malformed "));
    CHECK(judged("\xef\xbb\xbf" + text).starts_with("malformed "));
    CHECK(judged(text + "{}").starts_with("malformed "));
    CHECK(judged("// no\n" + text).starts_with("malformed "));
    CHECK(judged("[" + text + "]").starts_with("malformed "));
    CHECK(judged("").starts_with("malformed "));
    CHECK(judged("null").starts_with("malformed "));
}

TEST_CASE("document: an object with members without end") {
    std::string wide = "{";
    for (int i = 0; i < 100; ++i)
        wide += "\"m" + std::to_string(i) + "\":1,";
    CHECK(judged(wide).find("has more than 64 members") != std::string::npos);
}

TEST_CASE("document: nested without end, in each place") {
    const std::string deep(200'000, '[');
    CHECK(judged(deep).starts_with("malformed "));
    CHECK(judged("{\"approvals\":" + deep).starts_with("invalid approvals"));
    CHECK(judged("{\"approvals\":[{\"engineer\":" + deep).starts_with("invalid approvals[0].engineer"));
    std::string objects;
    for (int i = 0; i < 100'000; ++i)
        objects += "{\"a\":";
    CHECK(judged(objects).find("is nested deeper than 8") != std::string::npos);
}

TEST_CASE("document: 10,000 approvals, not one more") {
    std::vector<Approval> many;
    for (int i = 0; i < 10'000; ++i)
        many.push_back(approval("apr-" + std::to_string(i)));
    ApprovalList list = list_of(1, many);
    const auto parsed = parse_approvals(to_payload(list));
    REQUIRE(parsed.has_value());
    CHECK(parsed->approvals.size() == 10'000);
    CHECK(parsed->approvals[9'999].jti == "apr-9999");
    list.approvals.push_back(approval("one-more"));
    CHECK(judged(to_payload(list)) == "invalid approvals: has more than 10000 entries");
}

TEST_CASE("document: types are compared exactly") {
    CHECK(kind_of("escort-approvals+jwt") == DocumentKind::approvals);
    CHECK(kind_of("escort-presence+jwt") == DocumentKind::presence);
    CHECK(kind_of("secevent+jwt") == DocumentKind::revocation);
    for (const char* typ : {"", "JWT", "jwt", "Escort-Approvals+JWT", "application/escort-approvals+jwt",
                            "escort-approvals+jwt ", "escort-approvals", "application/secevent+jwt"}) {
        CHECK(kind_of(typ).error().code == RefusalCode::unsupported);
        CHECK(kind_of(typ).error().text.find("is unknown") != std::string::npos);
    }
}
