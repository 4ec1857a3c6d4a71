// What people are told on their terminals.
#include "output/notices.h"

#include "output/one_line.h"

#include <doctest/doctest.h>
#include <set>
#include <string>

using namespace escort;

namespace {

SessionRecord told_session() {
    SessionRecord s;
    s.id = "7f3a2c1e-42";
    s.account = "azsupport";
    s.reason = "approved";
    return s;
}

} // namespace

TEST_CASE("notices: a refused login reads why and what to do") {
    CHECK(refusal_line("azsupport", "HOST", Reason::no_approval, "7f3a2c1e-42") ==
          "No approved support session for azsupport on HOST (no_approval). Ask your broker; reference "
          "7f3a2c1e-42.");
    CHECK(refusal_line("azsupport", "HOST", Reason::no_approval, "") ==
          "No approved support session for azsupport on HOST (no_approval). Ask your broker.");
    for (int i = static_cast<int>(Reason::denied_locally); i <= static_cast<int>(Reason::operator_act); ++i) {
        const auto reason = static_cast<Reason>(i);
        const std::string line = refusal_line("a", "h", reason, "r-1");
        CAPTURE(line);
        CHECK(line.find("(" + std::string(to_string(reason)) + "). ") != std::string::npos);
        CHECK(line.ends_with("; reference r-1."));
        CHECK(line.find("..") == std::string::npos);
        CHECK(line.size() < 160); // with a real host's name still two lines of a terminal
        CHECK(one_line(line) == line);
    }
    CHECK(refusal_line("a", "h", Reason::key_mismatch, "").find("Use the key that was approved.") !=
          std::string::npos);
}

TEST_CASE("notices: before a session ends") {
    SessionRecord s = told_session();
    CHECK(expiry_notice(s, 300) ==
          "escortd: this session ends in 5 minutes. Save your work; ask your broker for more time.");
    s.deadline = 1767232800;
    CHECK(expiry_notice(s, 60).starts_with(
        "escortd: this session ends in 60 seconds, at 2026-01-01T02:00:00Z."));
    CHECK(expiry_notice(s, 1).starts_with("escortd: this session ends in 1 second,"));
    CHECK(expiry_notice(s, 299).starts_with("escortd: this session ends in 5 minutes,"));
    CHECK(expiry_notice(s, 7200).starts_with("escortd: this session ends in 2 hours,"));
}

TEST_CASE("notices: frozen, thawed, ended: by whom, why, what next") {
    SessionRecord s = told_session();
    s.reason = "escort_absent";
    CHECK(freeze_notice(s) == "escortd: session frozen: escort absent. It goes on where it stands when your "
                              "escort is back. Reference 7f3a2c1e-42.");
    s.reason = "revoked";
    CHECK(end_notice(s) == "escortd: this session is ended: revoked. " +
                               std::string(advice(Reason::revoked)) + " Reference 7f3a2c1e-42.");
    s.reason = "approved";
    CHECK(thaw_notice(s) == "escortd: the session goes on.");
    CHECK(freeze_notice(s).starts_with("escortd: session frozen. It goes on where it stands, or ends."));
    s.operated_by = "uid 0"; // who it was stays in the journal
    s.note = "drill";
    CHECK(freeze_notice(s).starts_with(
        "escortd: session frozen: by an operator of this host (drill). It goes on"));
    CHECK(thaw_notice(s) == "escortd: the session goes on: by an operator of this host (drill).");
    s.reason = "operator";
    CHECK(end_notice(s) ==
          "escortd: this session is ended: by an operator of this host (drill). Reference 7f3a2c1e-42.");
    s.id.clear();
    CHECK(end_notice(s).ends_with("(drill)."));
}
