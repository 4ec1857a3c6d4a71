// document publish into a web server's folder; the bucket's side is played against a real nats-server.
#include "fake_daemon.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace escort;
using namespace escort::ctl;
using namespace escort::ctl::test;
using nlohmann::json;

namespace {

struct Publisher {
    Publisher() { REQUIRE(run_ctl(home, {"keygen", home.file("broker")}).code == 0); }

    void sign(const std::string& type, const std::string& claims) const {
        home.write("claims.yaml", claims);
        const Ran made = run_ctl(home, {"document", "sign", "--key", home.file("broker.key"), "--type", type,
                                        home.file("claims.yaml")});
        REQUIRE(made.code == 0);
        home.write("made.jws", made.out);
    }
    [[nodiscard]] Ran publish(std::vector<std::string> more = {}) const {
        std::vector<std::string> words{"document", "publish", "--to", home.file("www"),
                                       home.file("made.jws")};
        words.insert(words.end(), more.begin(), more.end());
        return run_ctl(home, words);
    }
    void list(const std::string& audience, int seq, const std::string& issuer = "https://b") const {
        sign("approvals",
             "iss: " + issuer + "\naud: " + audience + "\nseq: " + std::to_string(seq) + "\napprovals: []\n");
    }
    [[nodiscard]] json published(const std::string& place) const {
        return json::parse(home.read("www/" + place + "/documents"));
    }

    Home home;
};

} // namespace

TEST_CASE("escortctl document publish: each takes the place of its own kind, list and issuer") {
    const Publisher broker;
    broker.list("host:i-1", 1);
    const Ran first = broker.publish();
    REQUIRE(first.code == 0);
    CHECK(first.out == broker.home.file("www/hosts/i-1/documents") + "\n");
    CHECK(broker.published("hosts/i-1").size() == 1);
    broker.list("host:i-1", 2);
    const std::string second = broker.home.read("made.jws");
    REQUIRE(broker.publish().code == 0);
    CHECK(broker.published("hosts/i-1") == json{second.substr(0, second.find('\n'))});
    broker.list("host:i-1", 1, "https://another");
    REQUIRE(broker.publish().code == 0);
    broker.sign("presence", "iss: https://b\naud: host:i-1\napproval: apr-1\nescort: esc-1\n");
    REQUIRE(broker.publish().code == 0);
    CHECK(broker.published("hosts/i-1").size() == 3);
    broker.list("group:prod", 1);
    REQUIRE(broker.publish().code == 0);
    CHECK(broker.published("groups/prod").size() == 1);
}

TEST_CASE("escortctl document publish: two within a second differ by the file's time, which is some servers' "
          "ETag") {
    const Publisher broker;
    struct stat before {
    }, after{};
    broker.list("host:i-1", 1);
    REQUIRE(broker.publish().code == 0);
    REQUIRE(::stat(broker.home.file("www/hosts/i-1/documents").c_str(), &before) == 0);
    broker.list("host:i-1", 2);
    REQUIRE(broker.publish().code == 0);
    REQUIRE(::stat(broker.home.file("www/hosts/i-1/documents").c_str(), &after) == 0);
    CHECK(after.st_size == before.st_size);
    CHECK(after.st_mtim.tv_sec > before.st_mtim.tv_sec);
}

TEST_CASE("escortctl document publish: what has expired is left out") {
    const Publisher broker;
    broker.sign("presence", "iss: https://b\naud: host:i-1\niat: " + std::to_string(kNow - 100) +
                                "\nexp: " + std::to_string(kNow - 50) + "\napproval: apr-1\nescort: esc-1\n");
    REQUIRE(broker.publish().code == 0);
    broker.list("host:i-1", 1);
    REQUIRE(broker.publish().code == 0);
    CHECK(broker.published("hosts/i-1").size() == 1);
}

TEST_CASE("escortctl document publish: what can't be") {
    const Publisher broker;
    broker.home.write("made.jws", "junk");
    CHECK(broker.publish().code == 1);
    broker.list("host:..", 1);
    const Ran above = broker.publish();
    CHECK(above.code == 1);
    CHECK(above.err == "escortctl: host:..: can't be a folder's name\n");
    broker.list("host:a/b", 1);
    CHECK(broker.publish().code == 1);
    broker.list("host:i-1", 1);
    CHECK(broker.publish({"--key", "host.i-1"}).code == 2);
    CHECK(broker.publish({"--create", "1"}).code == 2);
    std::filesystem::create_directories(broker.home.file("www/hosts/i-1"));
    std::ofstream(broker.home.file("www/hosts/i-1/documents")) << "<html>";
    CHECK(broker.publish().code == 1); // somebody else's file stays
    CHECK(broker.home.read("www/hosts/i-1/documents") == "<html>");
}
