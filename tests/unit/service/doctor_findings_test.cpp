// What `doctor` takes for proof.
#include "service/doctor_findings.h"

#include <doctest/doctest.h>

using namespace escort;

namespace {

Examined good() {
    return {
        {{"escort_newtask", 4}, {"escort_setuid", 1}, {"escort_sample-0", 0, "attached, but it did not run"}},
        {{"setuid", true, CanaryEnd::killed},
         {"setreuid", true, CanaryEnd::killed},
         {"setresuid", true, CanaryEnd::killed},
         {"fork, exec, exit", false, CanaryEnd::ended}}};
}

} // namespace

TEST_CASE("doctor: proven is every hook seen and every canary dead, and nothing less") {
    CHECK(good().proven());
    auto one = good();
    one.firings[1] = {"escort_setuid", 0, "the kernel does not count runs"};
    CHECK_FALSE(one.proven());
    for (const CanaryEnd end :
         {CanaryEnd::running, CanaryEnd::lived, CanaryEnd::could_not, CanaryEnd::ended}) {
        one = good();
        one.canaries[2].end = end;
        CHECK_FALSE(one.proven());
    }
    one = good();
    one.canaries[0].why = "fork: no memory";
    CHECK_FALSE(one.proven());
    CHECK_FALSE(Examined{}.proven());
    one = good();
    one.firings.clear();
    CHECK_FALSE(one.proven());
    one = good();
    one.canaries.clear();
    CHECK_FALSE(one.proven());
}

TEST_CASE("doctor: every row that is not proven says why and what to do") {
    CHECK(hook_rows(good().firings)[0]["state"] == "proven");
    CHECK(hook_rows(good().firings)[0]["detail"] == "ran 4 times");
    CHECK(hook_rows(good().firings)[2]["state"] == "ok");
    CHECK(hook_rows({})[0]["state"] == "not_proven");
    const auto silent = hook_rows({{"escort_exec", 0, "no"}})[0];
    CHECK(silent["state"] == "not_proven");
    CHECK(silent["detail"] == "no");
    CHECK_FALSE(silent["hint"].get<std::string>().empty());

    for (const CanaryEnd end :
         {CanaryEnd::running, CanaryEnd::lived, CanaryEnd::could_not, CanaryEnd::ended}) {
        const auto row = canary_rows({{"setuid", true, end}})[0];
        CHECK(row["name"] == "canary by setuid");
        CHECK(row["state"] == "not_proven");
        CHECK_FALSE(row["detail"].get<std::string>().empty());
        CHECK_FALSE(row["hint"].get<std::string>().empty());
    }
    CHECK(canary_rows({{"setuid", true, CanaryEnd::killed}})[0]["state"] == "proven");
    CHECK(canary_rows({{"setuid", true, CanaryEnd::killed, "fork"}})[0]["state"] == "not_proven");
}
