// The store with leases, revocation events and break-glass lists.
#include "store_host.h"

#include <fstream>

using namespace escort;
using namespace escort::test;
using namespace escort::test::store_host;
namespace fs = std::filesystem;

namespace {

constexpr const char* kOther = "https://other.example.gov";

Approval escorted(const std::string& jti, const std::string& escort = "esc-9") {
    Approval out = approval(jti);
    out.escort = Escort{escort, {}, {}};
    return out;
}

struct Events : Host {
    Outcome lease(std::int64_t iat, std::int64_t exp, std::int64_t s, const std::string& escort = "esc-9",
                  const std::string& approval = "a", const std::string& iss = kIss) {
        return take(lease_jws(iat, exp, escort, approval, iss), s);
    }
    [[nodiscard]] std::string lease_jws(std::int64_t iat, std::int64_t exp,
                                        const std::string& escort = "esc-9",
                                        const std::string& approval = "a",
                                        const std::string& iss = kIss) const {
        LeaseDocument out;
        out.issuer = iss;
        out.audience = "host:i-0abc";
        out.iat = kT0 + iat;
        out.exp = kT0 + exp;
        out.approval = approval;
        out.escort = escort;
        return sign(key, to_payload(out), kPresenceType);
    }
    [[nodiscard]] std::string event_jws(const std::string& session, std::vector<std::string> audience = {},
                                        const std::string& iss = kIss, std::int64_t iat = 0) const {
        RevocationDocument out;
        out.issuer = iss;
        out.jti = "set-" + session;
        out.iat = kT0 + iat;
        out.audience = std::move(audience);
        out.session = session;
        return sign(key, to_payload(out), kRevocationType);
    }
    // Seconds after kT0 at which the lease ends; 0: none.
    std::int64_t present_until(const std::string& approval = "a", const std::string& iss = kIss) {
        const Lease* found = store->presence().find({iss, approval});
        const std::uint64_t end = found ? found->until(std::nullopt) : 0;
        return end == 0 ? 0 : static_cast<std::int64_t>(end / kNsPerSecond) - 1000;
    }
};

IssuerRules speaks_for_other() {
    return std::vector{IssuerRule{kIss, {"broker.pem"}, {"presence", "revocation"}, {}, {kOther}},
                       IssuerRule{kOther, {"broker.pem"}, {"approvals", "revocation"}, {}, {}}};
}

ApprovalList of_other(ApprovalList list) {
    list.issuer = kOther;
    return list;
}

} // namespace

TEST_CASE("store: a lease is kept raw and survives a restart; an older one is no use after it") {
    Events host;
    host.take(list_of(1, {escorted("a")}));
    const Outcome first = host.lease(0, 60, 1);
    CHECK(first.word == "accepted");
    CHECK(first.document.kind() == DocumentKind::presence);
    CHECK(first.document.about == "a");
    CHECK(first.present == std::vector<ApprovalId>{{kIss, "a"}});
    CHECK(host.lease(0, 60, 2).word == "duplicate");
    CHECK(host.lease(10, 40, 10).word == "accepted");
    REQUIRE(host.leases().size() == 1); // the newest
    CHECK(read_file(host.leases()[0], 10'000).value() == host.lease_jws(10, 40));
    CHECK((fs::status(host.leases()[0]).permissions() & fs::perms::mask) ==
          (fs::perms::owner_read | fs::perms::owner_write));
    CHECK(host.present_until() == 40);
    CHECK(host.spool_empty());

    CHECK(host.restart(20).problems.empty());
    CHECK(host.present_until() == 40);
    CHECK(host.lease(0, 60, 21).word == "rollback");
    CHECK(host.lease(10, 50, 21).word == "equivocation");
    CHECK(host.lease(22, 22, 22).word == "accepted");
    CHECK(host.present_until() == 0);
    host.restart(23);
    CHECK(host.present_until() == 0);
    CHECK(host.lease(10, 40, 23).word == "rollback");
}

TEST_CASE("store: a lease raises trusted time, across a restart too") {
    Events host;
    CHECK(host.lease(50, 80, 0).word == "accepted");
    host.restart(-100'000);
    CHECK(host.store->time().read(clocks(-100'000)).moment.trusted == kT0 + 50);
}

TEST_CASE("store: which leases are refused") {
    Events host;
    Approval own = escorted("own", "eng-42"); // the engineer himself
    host.take(list_of(1, {escorted("a"), own, approval("none")}));
    CHECK(host.lease(0, 60, 0, "esc-8").word == "invalid");
    CHECK(host.lease(0, 60, 0, "eng-42", "own").word == "invalid");
    CHECK(host.lease(0, 60, 0, "esc-9", "none").word == "invalid");
    CHECK(host.lease(61, 90, 0).word == "issued_in_future");
    CHECK(host.lease(0, 60, 0, "esc-9", "not-here-yet").word == "accepted");
    LeaseDocument elsewhere;
    elsewhere.issuer = kIss;
    elsewhere.audience = "host:i-other";
    elsewhere.iat = kT0;
    elsewhere.exp = kT0 + 60;
    elsewhere.approval = "a";
    elsewhere.escort = "esc-9";
    CHECK(host.take(sign(host.key, to_payload(elsewhere), kPresenceType)).word == "not_for_this_host");
    elsewhere.audience = "group:prod";
    CHECK(host.take(sign(host.key, to_payload(elsewhere), kPresenceType)).word == "accepted");
    CHECK(host.leases().size() == 2);
}

TEST_CASE("store: a lease counts for the issuers that its signer may lease for, and no others") {
    Events host;
    host.rules = speaks_for_other();
    host.restart();
    REQUIRE(host.take(of_other(list_of(1, {escorted("a")}))).word == "accepted");
    const Outcome out = host.lease(0, 60, 0);
    CHECK(out.present == std::vector<ApprovalId>{{kIss, "a"}, {kOther, "a"}});
    CHECK(host.present_until("a", kOther) == 60);
    CHECK(host.leases().size() == 1);
    CHECK(host.lease(10, 70, 10, "esc-9", "a", kOther).word == "issuer_not_allowed");
    host.restart(1);
    CHECK(host.present_until("a", kOther) == 60);

    host.rules = std::nullopt; // evaluation: its own alone
    const auto report = host.store->reverify(host.trust, host.rules, at(2));
    CHECK(report.present == std::vector<ApprovalId>{{kOther, "a"}});
    CHECK(host.present_until("a", kOther) == 0);
    CHECK(host.present_until("a", kIss) == 60);
}

TEST_CASE("store: a key taken away ends its leases at once; given back, they return") {
    Events host;
    host.lease(0, 600, 0);
    const TrustSet good = host.trust;
    auto report = host.store->reverify(trust_of(make_key()), std::nullopt, at(1));
    CHECK(report.present == std::vector<ApprovalId>{{kIss, "a"}});
    CHECK(report.problems.empty());
    CHECK(host.present_until() == 0);
    host.trust = TrustSet{};
    host.restart(2);
    CHECK(host.present_until() == 0);
    report = host.store->reverify(good, std::nullopt, at(3));
    CHECK(report.present == std::vector<ApprovalId>{{kIss, "a"}});
    CHECK(host.present_until() == 600);
    CHECK(host.store->reverify(good, std::nullopt, at(4)).present.empty());
    CHECK(host.lease(-1, 700, 4).word == "rollback");
}

TEST_CASE("store: a kept lease that was changed on disk is told and removed; other files are litter") {
    Events host;
    host.lease(0, 600, 0);
    const std::string name = fs::path(host.leases().at(0)).filename().string();
    host.folder.write("state/presence/" + name, host.lease_jws(5, 900));
    host.folder.write("state/presence/half.jws.tmp", "half");
    const LoadReport report = host.restart(1);
    REQUIRE(report.problems.size() == 1);
    CHECK(report.problems[0].refusal.code == RefusalCode::malformed);
    CHECK(host.present_until() == 0);
    CHECK(fs::is_empty(host.folder.path("state/presence")));
}

TEST_CASE("store: a lease is removed a day after it is over, one of a lost key as well") {
    Events host;
    host.lease(0, 60, 0);
    REQUIRE(host.store->save_time(at(24 * 3600 + 59)));
    CHECK(host.leases().size() == 1);
    REQUIRE(host.store->save_time(at(24 * 3600 + 60)));
    CHECK(host.leases().empty());
    CHECK(host.store->presence().leases().empty());

    const std::string strange = sign(make_key(), "{}", kPresenceType);
    const std::string path = host.folder.path("state/presence/" + sha256_hex(strange) + ".jws");
    std::ofstream(path) << strange;
    host.restart();
    CHECK(fs::exists(path));
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(49));
    host.restart();
    CHECK_FALSE(fs::exists(path));
}

TEST_CASE("store: a lease that can't be written gives nothing; the end of one ends all the same") {
    Events host;
    REQUIRE(host.lease(0, 600, 0).word == "accepted");
    const std::string longer = host.lease_jws(10, 900);
    const std::string gone = host.lease_jws(20, 20);
    const auto block = [&](const std::string& jws) {
        const std::string path = host.folder.path("state/presence/" + sha256_hex(jws) + ".jws.tmp");
        fs::create_directory(path);
        return path;
    };
    block(longer);
    const std::string blocked = block(gone);
    const Outcome refused = host.take_file("longer.jws", longer, 11).value();
    CHECK(refused.word == "not_persisted");
    CHECK(refused.retry);
    CHECK(refused.present.empty());
    CHECK(host.present_until() == 600);
    const Outcome ended = host.take_file("gone.jws", gone, 21).value();
    CHECK(ended.disposition == Disposition::accepted);
    CHECK(ended.retry);
    CHECK(host.present_until() == 0);
    CHECK(host.leases().size() <= 1);

    // Taken again: only once it is written does it leave the spool.
    const std::string path = host.folder.path("spool/gone.jws");
    CHECK(host.store->take(path, at(22))->retry);
    fs::remove(blocked);
    const auto written = host.store->take(path, at(23));
    CHECK(written->disposition == Disposition::ignored);
    CHECK_FALSE(written->retry);
    CHECK_FALSE(fs::exists(path));
    host.restart(24);
    CHECK(host.lease(0, 600, 24).word == "rollback");
}

TEST_CASE("store: a revocation event ends an approval at once and for good; a replay does no harm") {
    Events host;
    host.take(list_of(1, {approval("a"), approval("b")}));
    const Outcome out = host.take(host.event_jws("a", {"host:i-other", "host:i-0abc"}), 5);
    CHECK(out.word == "accepted");
    CHECK(out.document.kind() == DocumentKind::revocation);
    CHECK(out.change.revoked == std::vector<ApprovalId>{{kIss, "a"}});
    CHECK_FALSE(out.ended_session);
    CHECK(host.store->ledger().find({kIss, "a"}, at(5))->revoked);
    CHECK(host.store->ledger().find({kIss, "b"}, at(5))->admits());
    const Outcome again = host.take(host.event_jws("a", {"host:i-other", "host:i-0abc"}), 6);
    CHECK(again.word == "duplicate");
    CHECK(again.change.revoked.empty());
    CHECK_FALSE(again.alert);
    host.restart(7);
    CHECK(host.store->ledger().find({kIss, "a"}, at(7))->revoked);
    CHECK(host.take(list_of(2, {approval("a"), approval("b")}), 8).word == "accepted");
    CHECK(host.store->ledger().find({kIss, "a"}, at(8))->revoked);
    CHECK(host.take(host.event_jws("a"), 9).word == "duplicate"); // another event, the same approval
    CHECK(host.take(host.event_jws("b", {"host:i-other"}), 9).word == "not_for_this_host");
    CHECK(host.take(host.event_jws("b", {"group:prod"}), 9).word == "accepted");
}

TEST_CASE("store: an event for an approval that is not here yet, and one from the future") {
    Events host;
    CHECK(host.take(host.event_jws("later")).word == "accepted");
    CHECK(host.take(host.event_jws("later"), 100).word == "duplicate"); // it is not prolonged for ever
    host.restart(101);
    CHECK(host.take(list_of(1, {approval("later"), approval("b")}), 101).change.added.size() == 1);
    CHECK(host.store->ledger().find({kIss, "later"}, at(101))->revoked);
    CHECK(host.store->ledger().tombstones("azsupport", at(101)).size() == 1);
    CHECK(host.take(host.event_jws("b", {}, kIss, 1'000'000), 102).word == "accepted");
    CHECK(host.store->time().read(clocks(103)).moment.trusted < kT0 + 1000);
}

TEST_CASE("store: an event takes back what its issuer may revoke for, and nothing else") {
    Events host;
    host.rules = speaks_for_other();
    host.restart();
    REQUIRE(host.take(of_other(list_of(1, {approval("a"), approval("b")}))).word == "accepted");
    CHECK(host.take(host.event_jws("a")).change.revoked == std::vector<ApprovalId>{{kOther, "a"}});
    CHECK(host.take(host.event_jws("b", {}, kOther)).change.revoked ==
          std::vector<ApprovalId>{{kOther, "b"}});

    Events stranger; // without rules: its own alone
    stranger.take(of_other(list_of(1, {approval("a")})));
    CHECK(stranger.take(stranger.event_jws("a")).word == "accepted");
    CHECK(stranger.store->ledger().find({kOther, "a"}, at(0))->admits());
}

TEST_CASE("store: an event for a session of this host names it, each time") {
    Events host;
    const Outcome out = host.take(host.event_jws("7f3a2c1e-42"));
    REQUIRE(out.ended_session);
    CHECK(out.ended_session->id == "7f3a2c1e-42");
    CHECK(out.ended_session->issuers == std::vector<std::string>{kIss});
    CHECK(host.take(host.event_jws("7f3a2c1e-42")).ended_session);
    CHECK_FALSE(host.take(host.event_jws("7f3a2c1e-42", {"host:i-other"})).ended_session);
}

TEST_CASE("store: a revocation that can't be written counts all the same, and stays to be written") {
    Events host;
    host.take(list_of(1, {approval("a")}));
    fs::create_directory(host.folder.path("state/ledger.json.tmp"));
    const Outcome out = host.take(host.event_jws("a"), 1);
    CHECK(out.disposition == Disposition::accepted);
    CHECK(out.retry);
    CHECK(host.store->ledger().find({kIss, "a"}, at(1))->revoked);
    CHECK_FALSE(host.spool_empty());
    CHECK(host.store->take(host.folder.path("spool/d.jws"), at(2))->retry);
    fs::remove(host.folder.path("state/ledger.json.tmp"));
    CHECK_FALSE(host.store->take(host.folder.path("spool/d.jws"), at(3))->retry);
    CHECK(host.spool_empty());
    host.restart(4);
    CHECK(host.store->ledger().find({kIss, "a"}, at(4))->revoked);
}

TEST_CASE("store: break-glass lists stand apart from the issuer's others") {
    Events host;
    const SigningKey emergency = make_key();
    host.trust.keys.push_back(trusted(emergency, "emergency.pem"));
    host.trust.keys.back().break_glass = true;
    host.rules = std::vector{IssuerRule{kIss, {"broker.pem"}, {"approvals"}, {}, {}}};
    host.restart();
    Approval urgent = approval("brk-1");
    urgent.emergency = Emergency{"CISO", "broker down"};
    REQUIRE(host.take(list_of(800, {approval("a")})).word == "accepted");
    // The same iss, aud and sub, and a sequence of its own.
    const Outcome out = host.take(sign(emergency, list_of(3, {urgent})), 1);
    CHECK(out.word == "accepted");
    CHECK(out.document.break_glass);
    CHECK(host.store->ledger().find({kIss, "a"}, at(1))->admits());
    REQUIRE(host.store->ledger().find({kIss, "brk-1"}, at(1)));
    CHECK(host.store->ledger().find({kIss, "brk-1"}, at(1))->list->break_glass);
    CHECK(host.take(list_of(801, {}), 2).change.removed == std::vector<ApprovalId>{{kIss, "a"}});
    CHECK(host.store->ledger().find({kIss, "brk-1"}, at(2))->admits());
    CHECK(host.take(sign(emergency, list_of(2, {urgent})), 3).word == "rollback");
    CHECK(host.restart(4).lists == 2);
    CHECK(host.store->ledger().find({kIss, "brk-1"}, at(4))->admits());
    CHECK(host.take(sign(emergency, list_of(2, {urgent})), 4).word == "rollback");
    // A revocation by the issuer holds for it as well.
    CHECK(host.take(list_of(802, {}, {"brk-1"}), 5).change.revoked.size() == 1);
    CHECK_FALSE(host.store->ledger().find({kIss, "brk-1"}, at(5))->admits());
    // The key taken out of breakglass.d: at once.
    host.trust.keys.pop_back();
    CHECK(host.store->reverify(host.trust, host.rules, at(6)).problems.size() == 1);
    CHECK_FALSE(host.store->ledger().find({kIss, "brk-1"}, at(6)));
}

TEST_CASE("store: 64 lists of a broker leave room for break-glass") {
    Events host;
    const SigningKey emergency = make_key();
    host.trust.keys.push_back(trusted(emergency, "emergency.pem"));
    host.trust.keys.back().break_glass = true;
    host.restart();
    for (std::size_t i = 0; i < kListsPerIssuer; ++i)
        REQUIRE(host.take(list_of(1, {}, {}, "sub" + std::to_string(i))).word == "accepted");
    CHECK(host.take(list_of(1, {}, {}, "one more")).word == "too_many_lists");
    Approval urgent = approval("brk-1");
    urgent.emergency = Emergency{"CISO", "broker down"};
    CHECK(host.take(sign(emergency, list_of(1, {urgent}))).word == "accepted");
}
