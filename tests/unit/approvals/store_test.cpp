#include "approvals/store.h"

#include "store_host.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

using namespace escort;
using namespace escort::test;
using namespace escort::test::store_host;
namespace fs = std::filesystem;

TEST_CASE("store: an accepted document is kept raw and survives a restart") {
    Host host;
    const std::string jws = sign(host.key, list_of(812, {approval("a")}));
    const Outcome out = host.take(jws + "\n");
    CHECK(out.disposition == Disposition::accepted);
    CHECK(out.word == "accepted");
    CHECK(out.document.file == "d.jws");
    CHECK(out.document.issuer == kIss);
    CHECK(out.document.seq == 812u);
    CHECK(out.document.sha256 == sha256_hex(jws));
    CHECK(out.document.key == host.key.thumbprint);
    CHECK(out.document.audience == "host:i-0abc");
    CHECK(out.change.added.size() == 1);
    CHECK_FALSE(out.alert);
    CHECK(host.spool_empty());
    REQUIRE(host.kept().size() == 1);
    CHECK(read_file(host.kept()[0], 10'000).value() == jws);
    CHECK((fs::status(host.kept()[0]).permissions() & fs::perms::mask) ==
          (fs::perms::owner_read | fs::perms::owner_write));

    CHECK(host.restart(5).lists == 1);
    CHECK(host.admits(5));
    CHECK(host.take(jws, 6).word == "duplicate");
    CHECK(host.take(list_of(811, {approval("a")}), 6).word == "rollback");
    CHECK(host.take(list_of(812, {approval("b")}), 6).word == "equivocation");
    CHECK(host.take(list_of(812 + (1ULL << 32) + 1, {}), 6).word == "seq_jump");
    CHECK(host.admits(6));
}

TEST_CASE("store: a newer list takes the older one's place on disk") {
    Host host;
    host.take(list_of(1, {approval("a")}));
    host.take(list_of(1, {approval("x")}, {}, "second"));
    CHECK(host.kept().size() == 2);
    host.take(list_of(2, {approval("b")}));
    CHECK(host.kept().size() == 2);
    CHECK(host.restart().lists == 2);
    CHECK(host.store->ledger().find({kIss, "b"}, at(0))->admits());
    CHECK_FALSE(host.store->ledger().find({kIss, "a"}, at(0)));
}

TEST_CASE("store: revoked and absent approvals stay so across restarts") {
    Host host;
    host.take(list_of(1, {approval("a"), approval("gone")}));
    const Outcome out = host.take(list_of(2, {}, {"a", "never-seen"}));
    CHECK(out.change.revoked == std::vector<ApprovalId>{{kIss, "a"}});
    CHECK(out.change.removed == std::vector<ApprovalId>{{kIss, "gone"}});
    host.restart();
    CHECK(host.store->ledger().tombstones("azsupport", at(1)).size() == 2);
    CHECK(host.take(list_of(3, {approval("a"), approval("gone"), approval("never-seen")}), 1).word ==
          "accepted");
    CHECK_FALSE(host.admits(1));
    host.restart();
    CHECK_FALSE(host.admits(1));
}

TEST_CASE("store: a refused document is removed, changes nothing, and is told once") {
    Host host;
    host.take(list_of(5, {approval("a")}));
    const std::string old = sign(host.key, list_of(4, {approval("old")}));
    const std::string before = read_file(host.folder.path("state/ledger.json"), 100'000).value();
    const Outcome first = host.take(old);
    CHECK(first.disposition == Disposition::refused);
    CHECK(first.word == "rollback");
    CHECK(first.document.seq == 4u);
    CHECK(first.alert);
    CHECK(host.spool_empty());
    const Outcome second = host.take(old);
    CHECK(second.word == "rollback");
    CHECK_FALSE(second.alert);
    CHECK(host.take(list_of(3, {})).alert); // another document
    CHECK(read_file(host.folder.path("state/ledger.json"), 100'000).value() == before);
    CHECK(host.kept().size() == 1);
    CHECK(host.admits());
}

TEST_CASE("store: what is refused, and by which word") {
    Host host;
    ApprovalList other_host = list_of(1, {approval("a")});
    other_host.audience = "host:i-other";
    ApprovalList expired = list_of(1, {approval("a")});
    expired.iat -= 4000;
    expired.exp -= 4000;
    ApprovalList early = list_of(1, {approval("a")});
    early.iat += 61;
    const std::string good = sign(host.key, list_of(1, {approval("a")}));
    CHECK(host.take(other_host).word == "not_for_this_host");
    CHECK(host.take(expired).word == "expired");
    CHECK(host.take(early).word == "issued_in_future");
    CHECK(host.take(sign(make_key(), list_of(1, {}))).word == "untrusted_key");
    CHECK(host.take(good.substr(0, good.size() - 4) + "AAAA").word == "bad_signature");
    CHECK(host.take(good.substr(0, 50)).word == "malformed");
    CHECK(host.take("").word == "malformed");
    CHECK(host.take(sign(host.key, "{}", "JWT")).word == "unsupported");
    CHECK(host.take(sign(host.key, "{}", "secevent+jwt")).word == "invalid");
    CHECK(host.take(sign(host.key, R"({"iss":"x"})")).word == "invalid");
    CHECK_FALSE(fs::exists(host.folder.path("state/ledger.json")));
    CHECK(host.spool_empty());
    CHECK_FALSE(host.admits());
}

TEST_CASE("store: strange things in the spool are neither followed nor waited for") {
    Host host;
    const std::string spool = host.folder.path("spool");
    const auto take = [&](const std::string& name) { return host.store->take(spool + "/" + name, at(0)); };
    host.folder.write("target", sign(host.key, list_of(1, {approval("a")})));

    fs::create_symlink(host.folder.path("target"), spool + "/link.jws");
    CHECK(take("link.jws")->word == "not_a_file");
    CHECK(fs::exists(host.folder.path("target")));
    fs::create_symlink("/dev/zero", spool + "/zero.jws");
    CHECK(take("zero.jws")->word == "not_a_file");
    fs::create_symlink("nowhere", spool + "/dangling.jws");
    CHECK(take("dangling.jws")->word == "not_a_file");
    REQUIRE(::mkfifo((spool + "/fifo.jws").c_str(), 0600) == 0);
    CHECK(take("fifo.jws")->word == "not_a_file");
    const int socket_fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (spool + "/s.jws").copy(address.sun_path, sizeof(address.sun_path) - 1);
    REQUIRE(::bind(socket_fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
    CHECK(take("s.jws")->word == "not_a_file");
    ::close(socket_fd);
    CHECK(host.spool_empty());

    fs::create_directory(spool + "/folder.jws");
    const auto folder = take("folder.jws");
    CHECK(folder->word == "not_a_file");
    CHECK(folder->alert);
    CHECK(folder->spool_problem.has_value());
    CHECK_FALSE(take("folder.jws")->alert);

    host.folder.write("spool/big.jws", "x");
    fs::resize_file(spool + "/big.jws", 17UL * 1024 * 1024);
    CHECK(take("big.jws")->word == "too_large");
    CHECK_FALSE(fs::exists(spool + "/big.jws"));
    CHECK_FALSE(take("missing.jws"));
    CHECK_FALSE(host.admits());
}

TEST_CASE("store: other names in the spool are left alone") {
    Host host;
    const std::string jws = sign(host.key, list_of(1, {approval("a")}));
    for (const char* name : {"d.jws.tmp", "d.txt", ".d.jws", "jws"}) {
        CHECK(host.take_file(name, jws)->disposition == Disposition::ignored);
        CHECK(fs::exists(host.folder.path(std::string("spool/") + name)));
    }
    host.folder.write("spool/b.jws", jws);
    host.folder.write("spool/a.jws", jws);
    CHECK(host.store->pending().value() ==
          std::vector{host.folder.path("spool/a.jws"), host.folder.path("spool/b.jws")});
    CHECK_FALSE(host.admits());
}

TEST_CASE("spool: a name that another file has taken meanwhile is not removed") {
    const TempFolder folder;
    folder.write("d.jws", "first");
    const auto first = read_spool_file(folder.path("d.jws"));
    REQUIRE(first.has_value());
    CHECK(first->content == "first");
    folder.write("new", "second");
    fs::rename(folder.path("new"), folder.path("d.jws"));
    CHECK(remove_spool_file(folder.path("d.jws"), *first).has_value());
    CHECK(read_spool_file(folder.path("d.jws"))->content == "second");
    const auto second = read_spool_file(folder.path("d.jws"));
    CHECK(remove_spool_file(folder.path("d.jws"), *second).has_value());
    CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("store: what can't be written grants nothing, takes away at once, and may be taken again") {
    Host host;
    host.take(list_of(1, {approval("a")}));
    const std::string next = sign(host.key, list_of(2, {approval("b")}, {"a"}));
    SUBCASE("the ledger's file") {
        fs::create_directory(host.folder.path("state/ledger.json.tmp"));
    }
    SUBCASE("the document") {
        fs::create_directory(host.folder.path("state/documents/" + sha256_hex(next) + ".jws.tmp"));
    }
    const Outcome out = host.take(next, 1);
    CHECK(out.disposition == Disposition::refused);
    CHECK(out.word == "not_persisted");
    CHECK(out.alert);
    CHECK(out.retry);
    CHECK_FALSE(host.spool_empty());
    CHECK_FALSE(host.admits(1));
    CHECK(host.store->ledger().find({kIss, "a"}, at(1))->revoked);
    CHECK_FALSE(host.store->ledger().find({kIss, "b"}, at(1)).has_value());
    CHECK(out.change.revoked == std::vector<ApprovalId>{{kIss, "a"}});
    CHECK(out.change.added.empty());
    CHECK(host.kept().size() == 1);
    const Outcome again = host.store->take(host.folder.path("spool/d.jws"), at(1)).value();
    CHECK_FALSE(again.alert);
    CHECK(again.change.revoked.empty());

    fs::remove(host.folder.path("state/ledger.json.tmp"));
    fs::remove(host.folder.path("state/documents/" + sha256_hex(next) + ".jws.tmp"));
    CHECK(host.store->take(host.store->pending()->at(0), at(2))->word == "accepted");
    CHECK(host.spool_empty());
    CHECK(host.store->ledger().find({kIss, "b"}, at(2))->admits());
}

TEST_CASE("store: a document written but never committed is litter") {
    Host host;
    host.take(list_of(1, {approval("a")}));
    const std::string next = sign(host.key, list_of(2, {approval("b")}));
    host.folder.write("state/documents/" + sha256_hex(next) + ".jws", next);
    host.folder.write("state/documents/half.jws.tmp", "half");
    host.restart();
    CHECK(host.kept().size() == 1);
    CHECK(host.store->ledger().find({kIss, "a"}, at(0))->admits());
    CHECK_FALSE(fs::exists(host.folder.path("state/documents/half.jws.tmp")));
}

TEST_CASE(
    "store: a kept document that was changed, swapped or removed on disk grants nothing; its seq stays") {
    Host host;
    host.take(list_of(1, {approval("a")}));
    const std::string jws = sign(host.key, list_of(2, {approval("a")}));
    host.take(jws);
    const std::string path = host.kept().at(0);
    SUBCASE("changed") {
        host.folder.write("state/documents/" + fs::path(path).filename().string(), jws + "x");
    }
    SUBCASE("swapped for an older one") {
        host.folder.write("state/documents/" + fs::path(path).filename().string(),
                          sign(host.key, list_of(1, {approval("a")})));
    }
    SUBCASE("removed") {
        fs::remove(path);
    }
    const LoadReport report = host.restart();
    CHECK(report.lists == 0);
    CHECK(report.problems.size() == 1);
    CHECK_FALSE(host.admits());
    CHECK(host.take(list_of(1, {approval("a")})).word == "rollback");
    CHECK(host.take(jws).word == "accepted"); // the same bytes from the broker bring it back
    CHECK(host.admits());
}

TEST_CASE(
    "store: a key taken away ends its lists at once, at a reload and at a start; given back, they return") {
    Host host;
    host.take(list_of(3, {approval("a")}));
    const TrustSet good = host.trust;
    auto report = host.store->reverify(trust_of(make_key()), std::nullopt, at(1));
    CHECK(report.change.removed == std::vector<ApprovalId>{{kIss, "a"}});
    REQUIRE(report.problems.size() == 1);
    CHECK(report.problems[0].refusal.code == RefusalCode::untrusted_key);
    CHECK_FALSE(host.admits(1));
    CHECK(host.take(list_of(2, {approval("a")}), 1).word == "untrusted_key");

    host.trust = TrustSet{};
    CHECK(host.restart(2).lists == 0);
    CHECK_FALSE(host.admits(2));
    report = host.store->reverify(good, std::nullopt, at(3));
    CHECK(report.change.added.size() == 1);
    CHECK(host.admits(3));
    CHECK(host.take(list_of(2, {approval("a")}), 3).word == "rollback");
    report = host.store->reverify(good, std::nullopt, at(4));
    CHECK(report.change.added.empty());
    CHECK(report.change.removed.empty());
}

TEST_CASE("store: an issuer rule taken away ends its lists at once") {
    Host host;
    host.take(list_of(3, {approval("a")}));
    const auto rule = [](std::vector<std::string> accounts) {
        return std::vector{IssuerRule{kIss, {"broker.pem"}, {"approvals"}, std::move(accounts), {}}};
    };
    CHECK(host.store->reverify(host.trust, rule({"az*"}), at(1)).problems.empty());
    CHECK(host.admits(1));
    CHECK(host.store->reverify(host.trust, rule({"vendor-*"}), at(1)).problems[0].refusal.code ==
          RefusalCode::account_not_allowed);
    CHECK_FALSE(host.admits(1));
    CHECK(host.store->reverify(host.trust, std::vector<IssuerRule>{}, at(1)).problems[0].refusal.code ==
          RefusalCode::issuer_not_allowed);
    CHECK(host.store->reverify(host.trust, rule({"az*"}), at(1)).change.added.size() == 1);
}

TEST_CASE("store: state of a newer format, or broken, is refused and left as it is") {
    Host host;
    host.take(list_of(3, {approval("a")}));
    REQUIRE(host.store->save_time(at(0)).has_value());
    for (const auto& [file, content, why] : std::vector<std::tuple<std::string, std::string, std::string>>{
             {"ledger.json", R"({"format": 2, "anything": [[{}]]})", "is of format 2"},
             {"ledger.json", "", "is not JSON"},
             {"ledger.json", R"({"sequences": []})", "format: is missing"},
             {"ledger.json", R"({"format": 1, "sequences": []})", "revoked: is missing"},
             {"ledger.json", R"({"format": 1, "sequences": [{}], "revoked": []})",
              "sequences[0].iss: is missing"},
             {"ledger.json", R"({"format": 1, "sequences": [], "revoked": [], "x": 1})", "x: is unknown"},
             {"ledger.json", R"({"format": 1, "sequences": [], "revoked": [{"iss":"x"}]})", "revoked[0].jti"},
             {"trusted_time.json", R"({"format": 2, "trusted": 5})", "is of format 2"},
             {"trusted_time.json", R"({"format": 1, "trusted": "x"})", "trusted: must be an integer"}}) {
        const std::string broken = file + ": " + content;
        CAPTURE(broken);
        const std::string path = host.folder.path("state/" + file);
        const std::string good = read_file(path, 100'000).value();
        host.folder.write("state/" + file, content);
        const auto report = host.load();
        REQUIRE_FALSE(report.has_value());
        CAPTURE(report.error().text());
        CHECK(report.error().where == path);
        CHECK(report.error().why.find(why) != std::string::npos);
        CHECK_FALSE(host.take_file("n.jws", sign(host.key, list_of(4, {}))));
        CHECK(host.store->save_time(at(0))); // of nothing
        CHECK(read_file(path, 100'000).value() == content);
        host.folder.write("state/" + file, good);
    }
    CHECK(host.restart().lists == 1);
}

TEST_CASE("store: trusted time is never behind what was saved or the newest iat, across a restart") {
    Host host;
    ApprovalList list = list_of(1, {approval("a")});
    list.iat = kT0 + 50;
    host.take(list);
    host.restart(-100'000); // the wall clock was set back while the daemon was down
    CHECK(host.store->time().read(clocks(-100'000)).moment.trusted == kT0 + 50);
    REQUIRE(host.store->save_time(at(4000)).has_value());
    host.restart(-100'000);
    CHECK(host.store->time().read(clocks(-100'000)).moment.trusted == kT0 + 4000);
    CHECK(host.store->ledger().find({kIss, "a"}, at(4000))->list_stale);
}

TEST_CASE("store: the state folder is made, but not its parent") {
    const TempFolder folder;
    Store store({folder.path("spool"), folder.path("a/b")}, {"i-0abc", {}, 0}, {}, std::nullopt);
    CHECK_FALSE(store.load(clocks(0)));
    CHECK_FALSE(store.pending());
}
