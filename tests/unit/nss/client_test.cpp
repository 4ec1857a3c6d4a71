// The client against real helper processes: this program's own, and shells that hang, end or talk nonsense.
#include "nss/client.h"

#include <algorithm>
#include <csignal>
#include <doctest/doctest.h>
#include <pwd.h>
#include <unistd.h>

using namespace escort;

namespace {

NssClientOptions real_helper() {
    return {"/proc/self/exe",
            {"helper", "--test-case=nss helper process", "--no-skip", "--out=/dev/null"},
            20'000'000};
}

NssClientOptions shell(const std::string& script, std::uint64_t timeout_us) {
    return {"/bin/sh", {"sh", "-c", script}, timeout_us};
}

class Loop {
  public:
    Loop() { REQUIRE(sd_event_new(&event_) >= 0); }
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;
    ~Loop() { sd_event_unref(event_); }

    [[nodiscard]] sd_event* get() const { return event_; }

    // Runs the loop until `done`, at most 30 s.
    template <typename Done>
    void run_until(const Done& done) {
        for (int i = 0; i < 300 && !done(); ++i)
            REQUIRE(sd_event_run(event_, 100'000) >= 0);
        REQUIRE(done());
    }

  private:
    sd_event* event_ = nullptr;
};

using OneAccount = std::optional<Result<std::optional<Account>>>;

// Asks for a uid and runs the loop until the answer is there.
Result<std::optional<Account>> ask_uid(Loop& loop, NssClient& client, std::uint32_t uid) {
    OneAccount result;
    client.by_uid(uid, [&](auto answer) { result = std::move(answer); });
    CHECK_FALSE(result); // never from within the call
    loop.run_until([&] { return result.has_value(); });
    return *result;
}

constexpr std::uint32_t kNobodysUid = 3'999'999'999;

} // namespace

TEST_CASE("nss: one account, by uid and by name, with its groups") {
    Loop loop;
    NssClient client(loop.get(), real_helper());
    const auto root = ask_uid(loop, client, 0);
    REQUIRE(root);
    REQUIRE(*root);
    CHECK((*root)->name == "root");
    CHECK((*root)->groups.contains("root"));

    const auto nobody = ask_uid(loop, client, kNobodysUid);
    REQUIRE(nobody);
    CHECK_FALSE(*nobody); // no such account: an answer, not an error

    OneAccount by_name;
    client.by_name("daemon", [&](auto answer) { by_name = std::move(answer); });
    loop.run_until([&] { return by_name.has_value(); });
    REQUIRE(*by_name);
    CHECK((**by_name)->uid == ::getpwnam("daemon")->pw_uid);
}

TEST_CASE("nss: all accounts, with the groups asked for") {
    Loop loop;
    NssClient client(loop.get(), real_helper());
    std::optional<Result<AccountsAnswer>> result;
    client.accounts({{"daemon", "no such user"}, {"root", "no such group"}},
                    [&](auto answer) { result = std::move(answer); });
    loop.run_until([&] { return result.has_value(); });
    REQUIRE(*result);
    const AccountsAnswer& answer = **result;
    CHECK(answer.enumerated);
    CHECK(answer.users.at("daemon").state == LookUp::found);
    CHECK(answer.users.at("daemon").uid == ::getpwnam("daemon")->pw_uid);
    CHECK(answer.users.at("no such user").state == LookUp::absent);
    CHECK(answer.groups.at("root") == LookUp::found);
    CHECK(answer.groups.at("no such group") == LookUp::absent);
    const auto root = std::find_if(answer.accounts.begin(), answer.accounts.end(),
                                   [](const Account& account) { return account.name == "root"; });
    REQUIRE(root != answer.accounts.end());
    CHECK(root->groups == std::set<std::string>{"root"}); // its primary group
}

TEST_CASE("nss: a helper that hangs is killed in time, and the next request gets a new one") {
    Loop loop;
    // Hangs the first time, answers that there is no such account ever after.
    const std::string mark = "/tmp/escort-nss-test-" + std::to_string(::getpid());
    ::unlink(mark.c_str());
    NssClient client(
        loop.get(),
        shell("test -e " + mark + " || { : > " + mark +
                  "; exec sleep 1000; }; while read -r line <&3; do echo '{\"account\":null}' >&3; done",
              300'000));
    const auto hung = ask_uid(loop, client, 1);
    REQUIRE_FALSE(hung);
    CHECK(hung.error().text() == "NSS helper: no answer within 300 ms");
    const auto next = ask_uid(loop, client, 1);
    ::unlink(mark.c_str());
    REQUIRE(next);
    CHECK_FALSE(*next);
}

TEST_CASE("nss: what waits behind a request that fails is still answered") {
    Loop loop;
    NssClient client(loop.get(), shell("exec sleep 1000", 100'000));
    int failed = 0;
    for (int i = 0; i < 3; ++i)
        client.by_uid(1, [&](auto answer) { failed += answer ? 0 : 1; });
    loop.run_until([&] { return failed == 3; });
}

TEST_CASE("nss: a flood of uids holds up neither a login nor a reload") {
    Loop loop;
    NssClient client(loop.get(),
                     shell("while read -r line <&3; do echo '{\"account\":null}' >&3; done", 5'000'000));
    std::string order;
    for (int i = 0; i < 100; ++i)
        client.by_uid(1, [&](const auto&) { order += 'u'; });
    loop.run_until([&] { return !order.empty(); }); // another is in flight now, or will be next
    client.accounts({}, [&](const auto&) { order += 'a'; });
    client.by_name("somebody", [&](const auto&) { order += 'n'; });
    loop.run_until([&] { return order.size() == 102; });
    CHECK(order.find('n') <= 3);
    CHECK(order.find('a') == order.find('n') + 1);
    CHECK(std::count(order.begin(), order.end(), 'u') == 100);
}

TEST_CASE("nss: helpers that end, talk nonsense, or aren't there") {
    struct Row {
        NssClientOptions options;
        std::string error;
    };
    const Row rows[] = {
        {shell("read -r line <&3", 20'000'000), "it ended without an answer"},
        {shell("while read -r line <&3; do echo nonsense >&3; done", 20'000'000),
         "a line that can't be understood"},
        {shell("while read -r line <&3; do echo '{\"account\": 5}' >&3; done", 20'000'000),
         "a line that can't be understood"},
        {shell("read -r line <&3; printf '{}\\n{}\\n' >&3; read -r line <&3", 20'000'000),
         "it said more than was asked"},
        {shell("while read -r line <&3; do echo '{\"error\":\"x: look-up failed: y\"}' >&3; done",
               20'000'000),
         "x: look-up failed: y"},
        {{"/nowhere/escortd", {"escortd"}, 20'000'000}, "start: No such file or directory"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.error);
        Loop loop;
        NssClient client(loop.get(), row.options);
        for (int i = 0; i < 2; ++i) {
            const auto result = ask_uid(loop, client, 1);
            REQUIRE_FALSE(result);
            CHECK(result.error().text().find(row.error) != std::string::npos);
        }
    }
}

TEST_CASE("nss: a client that goes away drops its requests and its helper") {
    Loop loop;
    bool answered = false;
    {
        NssClient client(loop.get(), shell("exec sleep 1000", 20'000'000));
        client.by_uid(1, [&](auto) { answered = true; });
        REQUIRE(sd_event_run(loop.get(), 100'000) >= 0);
    }
    CHECK_FALSE(answered);
    CHECK(sd_event_run(loop.get(), 0) == 0);
}
