// The module itself, loaded by the real libpam from a folder of services, against a daemon of the test's.
#include "fixture.h"
#include "gate/principals_file.h"

#include <doctest/doctest.h>
#include <future>
#include <security/pam_appl.h>
#include <sys/stat.h>

using namespace escort;
using namespace escort::gate;
using escort::gate::test::Fixture;
using escort::gate::test::is_root;
using std::chrono::milliseconds;

namespace {

// What the person would read.
int collect(int count, const pam_message** messages, pam_response** responses, void* texts) {
    *responses =
        static_cast<pam_response*>(std::calloc(static_cast<std::size_t>(count), sizeof(pam_response)));
    for (int i = 0; i < count; ++i)
        static_cast<std::vector<std::string>*>(texts)->emplace_back(messages[i]->msg);
    return PAM_SUCCESS;
}

struct Outcome {
    int code = -1;
    std::vector<std::string> texts;
    std::chrono::steady_clock::duration took{};
};

class Stack {
  public:
    explicit Stack(Handler handler)
        : f([this, handler = std::move(handler)](const GateRequest& request, GateLogin login,
                                                 GateReply reply) {
              asked.push_back(request);
              handler(request, std::move(login), std::move(reply));
          }) {
        const std::string line = std::string(ESCORT_PAM_MODULE) + " run=" + f.folder.path() + "\n";
        f.folder.write(
            "sshd", "auth required pam_permit.so\nauth [default=ignore] " + line +
                        "account required pam_permit.so\naccount [perm_denied=die default=ignore] " + line +
                        "session required pam_permit.so\nsession [perm_denied=die default=ignore] " + line);
        PrincipalsFile file;
        file.timeout = milliseconds(60'000);
        file.names = {{"azsupport", Governed::enforced}, {"watched", Governed::observed}};
        file.patterns = {{"vendor-*", Governed::enforced}};
        write(file);
    }
    void write(const PrincipalsFile& file) const { f.folder.write("principals", write_principals(file)); }

    // One phase of a login of `user`, `again`: after the account phase; the loop turns meanwhile unless the
    // daemon is to be hung.
    Outcome run(const std::string& user, Phase phase, bool hung = false, bool again = false) const {
        Outcome outcome;
        auto login = std::async(std::launch::async, [&] {
            const pam_conv talk{collect, &outcome.texts};
            pam_handle_t* pam = nullptr;
            if (pam_start_confdir("sshd", user.c_str(), &talk, f.folder.path().c_str(), &pam) != PAM_SUCCESS)
                return;
            (void)pam_set_item(pam, PAM_RHOST, "203.0.113.7");
            if (phase == Phase::session)
                (void)pam_putenv(pam, "SSH_AUTH_INFO_0=publickey ssh-x AAAA\npassword\n");
            if (again) (void)pam_acct_mgmt(pam, 0);
            const auto begin = std::chrono::steady_clock::now();
            outcome.code = phase == Phase::account ? pam_acct_mgmt(pam, 0)
                           : phase == Phase::open  ? pam_setcred(pam, PAM_ESTABLISH_CRED)
                                                   : pam_open_session(pam, 0);
            outcome.took = std::chrono::steady_clock::now() - begin;
            (void)pam_end(pam, outcome.code);
        });
        while (login.wait_for(milliseconds(1)) != std::future_status::ready)
            if (!hung) (void)sd_event_run(f.loop, 2'000);
        return outcome;
    }

    Fixture f;
    std::vector<GateRequest> asked;
};

Handler refusing() {
    return [](const GateRequest&, const GateLogin&, const GateReply& reply) {
        reply.refuse("7f3a2c1e-42", "No approved support session (no_approval). Ask your broker.");
    };
}

} // namespace

TEST_CASE("pam_escort: refuses in account and session with the daemon's words, never in setcred") {
    if (!is_root()) return;
    Stack stack(refusing());
    for (const Phase phase : {Phase::account, Phase::session}) {
        const auto outcome = stack.run("azsupport", phase);
        CHECK(outcome.code == PAM_PERM_DENIED);
        REQUIRE(outcome.texts.size() == 1);
        CHECK(outcome.texts[0] == "No approved support session (no_approval). Ask your broker.");
    }
    const auto open = stack.run("azsupport", Phase::open);
    CHECK(open.code == PAM_SUCCESS);
    CHECK(open.texts.empty());
    REQUIRE(stack.asked.size() == 3);
    CHECK(stack.asked[0].phase == Phase::account);
    CHECK(stack.asked[0].service == "sshd");
    CHECK(stack.asked[0].rhost == "203.0.113.7");
    CHECK(stack.asked[0].auth_info.empty());
    CHECK(stack.asked[1].auth_info == "publickey ssh-x AAAA\npassword\n");
    CHECK(stack.asked[2].phase == Phase::open);
}

TEST_CASE("pam_escort: passes what the daemon admits or ignores") {
    if (!is_root()) return;
    Stack stack([](const GateRequest& request, const GateLogin&, const GateReply& reply) {
        request.phase == Phase::account ? reply.admit("x") : reply.ignore();
    });
    for (const Phase phase : {Phase::account, Phase::open, Phase::session})
        CHECK(stack.run("azsupport", phase).code == PAM_SUCCESS);
    CHECK(stack.asked.size() == 3);
}

TEST_CASE("pam_escort: asks about principals alone; a pattern holds where NSS knows nobody") {
    if (!is_root()) return;
    Stack stack(refusing());
    for (const char* user : {"root", "nobody", "alice"})
        for (const Phase phase : {Phase::account, Phase::open, Phase::session})
            CHECK(stack.run(user, phase).code == PAM_SUCCESS);
    CHECK(stack.asked.empty());
    CHECK(stack.run("vendor-seven", Phase::account).code == PAM_PERM_DENIED);

    PrincipalsFile file;
    file.uids = {{65534, 65534, Governed::enforced}};
    file.names = {{"root", Governed::enforced}};
    stack.write(file);
    CHECK(stack.run("nobody", Phase::account).code == PAM_PERM_DENIED);
    CHECK(stack.run("root", Phase::account).code == PAM_SUCCESS); // uid 0, whatever the file says
    ::unlink(stack.f.folder.path("principals").c_str());
    CHECK(stack.run("nobody", Phase::account).code == PAM_SUCCESS);
    CHECK(stack.asked.size() == 2);
}

TEST_CASE("pam_escort: the daemon hung: principals refused in time, the observed and everybody else pass") {
    if (!is_root()) return;
    Stack stack(refusing());
    PrincipalsFile file;
    file.timeout = milliseconds(200);
    file.names = {{"azsupport", Governed::enforced}, {"watched", Governed::observed}};
    stack.write(file);
    for (const Phase phase : {Phase::account, Phase::session}) {
        const auto refused = stack.run("azsupport", phase, true);
        CHECK(refused.code == PAM_PERM_DENIED);
        REQUIRE(refused.texts.size() == 1);
        CHECK(refused.texts[0].find("escortd does not answer") != std::string::npos);
        CHECK(refused.took >= milliseconds(200));
        CHECK(refused.took < milliseconds(20'000));
    }
    CHECK(stack.run("azsupport", Phase::open, true).code == PAM_SUCCESS);
    CHECK(stack.run("watched", Phase::account, true).code == PAM_SUCCESS);
    for (const char* user : {"root", "alice"}) {
        const auto passes = stack.run(user, Phase::account, true);
        CHECK(passes.code == PAM_SUCCESS);
        CHECK(passes.texts.empty());
    }
    file.admit_when_down = true;
    stack.write(file);
    CHECK(stack.run("azsupport", Phase::account, true).code == PAM_SUCCESS);
}

TEST_CASE("pam_escort: a login waits in full once only") {
    if (!is_root()) return;
    Stack stack(refusing());
    PrincipalsFile file;
    file.timeout = milliseconds(5'000);
    file.names = {{"watched", Governed::observed}, {"azsupport", Governed::enforced}};
    stack.write(file);
    const auto session = stack.run("watched", Phase::session, true, true);
    CHECK(session.code == PAM_SUCCESS);
    CHECK(session.took >= milliseconds(200));
    CHECK(session.took < milliseconds(4'900));
    file.timeout = milliseconds(100);
    stack.write(file);
    CHECK(stack.run("azsupport", Phase::session, true, true).code == PAM_PERM_DENIED);
}

TEST_CASE("pam_escort: a damaged file: everybody but root is asked about, and without an answer passes") {
    if (!is_root()) return;
    Stack stack(refusing());
    stack.f.folder.write("principals", "format 9\n");
    CHECK(stack.run("nobody", Phase::account).code == PAM_PERM_DENIED); // the daemon says who is who
    CHECK(stack.run("root", Phase::account).code == PAM_SUCCESS);
    CHECK(stack.asked.size() == 1);
    CHECK(stack.run("nobody", Phase::account, true).code == PAM_SUCCESS);
}
