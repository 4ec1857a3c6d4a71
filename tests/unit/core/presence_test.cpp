#include "core/presence.h"
#include "moments.h"

#include <doctest/doctest.h>

using namespace escort;
using namespace escort::test;

namespace {

const ApprovalId kApproval{"https://broker", "apr-1"};

Presence lease(std::int64_t iat, std::int64_t exp, const std::string& sha = "", ApprovalId id = kApproval) {
    return {std::move(id), "esc-9", kT0 + iat, kT0 + exp, sha.empty() ? std::to_string(iat) : sha};
}

std::string word(const Judged<bool>& result) {
    return result ? (*result ? "accepted" : "duplicate") : to_string(result.error().code);
}

} // namespace

TEST_CASE("presence: until the earlier of exp and iat + lease, without skew") {
    PresenceBook book;
    CHECK(book.find(kApproval) == nullptr);
    CHECK(word(book.accept(lease(-10, 50), at(0))) == "accepted");
    const Lease* found = book.find(kApproval);
    REQUIRE(found != nullptr);
    CHECK(found->until(std::nullopt) == boot(50));
    CHECK(found->until(30) == boot(20));
    CHECK(found->until(60) == boot(50));
    CHECK(found->until(5) == boot(-5));
    CHECK(found->until(INT64_MAX) == boot(50));
    CHECK(book.find({"https://other", "apr-1"}) == nullptr);
}

TEST_CASE("presence: a lease issued before the boot gets no time from it") {
    PresenceBook book;
    const Moment now{kT0, 5 * kNsPerSecond};
    CHECK(word(book.accept(lease(-20, 50), now)) == "accepted");
    CHECK(book.find(kApproval)->until(30) == 15 * kNsPerSecond);
    CHECK(book.find(kApproval)->until(10) == 0);
}

TEST_CASE("presence: the newest iat wins, whatever its exp") {
    PresenceBook book;
    CHECK(word(book.accept(lease(10, 100), at(11))) == "accepted");
    CHECK(word(book.accept(lease(10, 100), at(12))) == "duplicate");
    CHECK(word(book.accept(lease(9, 200), at(12))) == "rollback");
    CHECK(word(book.accept(lease(10, 200, "other bytes"), at(12))) == "equivocation");
    CHECK(book.find(kApproval)->until(std::nullopt) == boot(100));
    CHECK(word(book.accept(lease(20, 40), at(50))) == "accepted"); // over already, but newer
    CHECK(book.find(kApproval)->until(std::nullopt) == 0);
    CHECK(word(book.accept(lease(10, 100), at(50))) == "rollback");
    CHECK(word(book.accept(lease(60, 60), at(60))) == "accepted"); // the escort is gone
    CHECK(book.find(kApproval)->until(std::nullopt) == 0);
    CHECK(book.find(kApproval)->until(3600) == 0);
    CHECK(word(book.accept(lease(61, 90, "", {"https://other", "apr-1"}), at(60))) == "accepted");
    CHECK(book.leases().size() == 2);
}

TEST_CASE("presence: iat may be 60 s ahead") {
    PresenceBook book;
    CHECK(word(book.accept(lease(61, 100), at(0))) == "issued_in_future");
    CHECK(word(book.accept(lease(60, 100), at(0))) == "accepted");
    CHECK(book.find(kApproval)->until(30) == boot(90));
}

TEST_CASE("presence: a clock set forward ends it, one set back gives nothing") {
    PresenceBook book;
    REQUIRE(book.accept(lease(0, 100), at(0)));
    book.retime({kT0 + 80, boot(10)}); // 70 s ahead of CLOCK_BOOTTIME
    CHECK(book.find(kApproval)->until(std::nullopt) == boot(30));
    CHECK(book.find(kApproval)->until(90) == boot(20));
    book.retime({kT0 + 11, boot(11)});
    CHECK(book.find(kApproval)->until(std::nullopt) == boot(30));
    CHECK(book.find(kApproval)->until(90) == boot(20));
    book.retime({kT0 + 101, boot(12)});
    CHECK(book.find(kApproval)->until(std::nullopt) == 0);
}

TEST_CASE("presence: what has been over for a day is forgotten, and no older lease is any use by then") {
    constexpr std::int64_t kDay = 24 * 3600;
    PresenceBook book;
    REQUIRE(book.accept(lease(0, 100), at(0)));
    REQUIRE(book.accept(lease(5, 5, "", {"https://broker", "gone"}), at(5)));
    book.prune(at(kDay + 4));
    CHECK(book.leases().size() == 2);
    book.prune(at(kDay + 5));
    CHECK(book.leases().size() == 1);
    CHECK(word(book.accept(lease(4, 4 + kLeaseLifetime, "", {"https://broker", "gone"}), at(kDay + 5))) ==
          "accepted");
    CHECK(book.find({"https://broker", "gone"})->until(std::nullopt) == 0);
    book.prune(at(kDay + 100));
    CHECK(book.find(kApproval) == nullptr);
    CHECK(word(book.accept(lease(0, 100), at(kDay + 100))) == "expired");
    book.withdraw({"https://broker", "gone"});
    CHECK(book.leases().empty());
}

TEST_CASE("presence: bounded; what is over makes room") {
    PresenceBook book;
    for (std::size_t i = 0; i < kLeaseLimit; ++i)
        REQUIRE(book.accept(lease(0, 100, "", {"https://broker", std::to_string(i)}), at(0)));
    CHECK(word(book.accept(lease(0, 100), at(0))) == "too_many_leases");
    CHECK(word(book.accept(lease(1, 100, "", {"https://broker", "1"}), at(1))) == "accepted");
    CHECK(word(book.accept(lease(90'000, 90'100), at(90'000))) == "accepted");
    CHECK(book.leases().size() == 1);
}
