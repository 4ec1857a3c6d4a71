// The examples of docs/documents.md: each is signed, verified and taken by a host.
#include "store_host.h"

#include <nlohmann/json.hpp>

using namespace escort;
using namespace escort::test;
using namespace escort::test::store_host;

namespace {

// The JSON block that follows the comment naming it.
std::string example(const std::string& name) {
    const std::string text = read_file(ESCORT_SOURCE_DIR "/docs/documents.md", 1 << 20).value_or("");
    const std::string fence = "```json\n";
    const std::size_t mark = text.find("<!-- example: " + name + " -->");
    REQUIRE(mark != std::string::npos);
    const std::size_t begin = text.find(fence, mark) + fence.size();
    return text.substr(begin, text.find("```", begin) - begin);
}

} // namespace

TEST_CASE("docs/documents.md: every example is accepted by a host, in this order") {
    Host host;
    const SigningKey emergency = make_key(Alg::es384);
    const SigningKey transmitter = make_key(Alg::rs256);
    host.trust.keys.push_back(trusted(emergency, "emergency.pem"));
    host.trust.keys.back().break_glass = true;
    host.trust.keys.push_back(trusted(transmitter, "caep.pem"));
    host.restart();
    const Outcome list = host.take(sign(host.key, example("approvals"), kApprovalsType), 10);
    CAPTURE(list.text);
    CHECK(list.word == "accepted");
    CHECK(host.admits(10));
    const Outcome lease = host.take(sign(host.key, example("presence"), kPresenceType), 20);
    CAPTURE(lease.text);
    CHECK(lease.word == "accepted");
    REQUIRE(host.store->presence().find({kIss, "apr-19f3"}));
    CHECK(host.store->presence().find({kIss, "apr-19f3"})->until(30) == at(30).boot_ns);
    const Outcome event = host.take(sign(transmitter, example("revocation"), kRevocationType), 100);
    CAPTURE(event.text);
    CHECK(event.word == "accepted");
    CHECK_FALSE(host.admits(100));
    const Outcome urgent = host.take(sign(emergency, example("breakglass"), kApprovalsType), 110);
    CAPTURE(urgent.text);
    CHECK(urgent.word == "accepted");
    CHECK(host.admits(110));
    // The same under the key of another folder.
    CHECK(host.take(sign(host.key, example("breakglass"), kApprovalsType), 120).word == "invalid");
    CHECK(host.take(sign(emergency, example("approvals"), kApprovalsType), 120).word == "invalid");
}
