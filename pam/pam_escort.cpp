// pam_escort.so: asks the daemon whether a principal's login may go on (docs/pam-gate.md).
//
// It can refuse (account, session), never admit: all else is PAM_IGNORE, so that in any stack a login is at
// most as open as without it. It never asks about anybody but principals, never waits longer than it is told,
// and judges nothing itself. What it leaves in the login's PAM handle is that nobody answered, and for
// pam_systemd when PID 1 is to end the session's scope.
#define PAM_SM_AUTH
#define PAM_SM_ACCOUNT
#define PAM_SM_SESSION

#include "asking.h"
#include "base/file.h"
#include "gate/principals_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <pwd.h>
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <security/pam_modutil.h>
#include <sys/stat.h>
#include <syslog.h>

#define EXPORTED extern "C" __attribute__((visibility("default")))

namespace {

using namespace escort;
using namespace escort::gate;

constexpr const char* kRun = "/run/escortd";
constexpr const char* kUnanswered = "escort_unanswered";       // PAM data: this login has waited in vain once
constexpr const char* kRuntimeMax = "systemd.runtime_max_sec"; // PAM data that pam_systemd(8) reads
constexpr std::chrono::milliseconds kOnceMore{200};            // so it waits no longer than this again

std::string item(pam_handle_t* pam, int which) {
    const void* value = nullptr;
    if (pam_get_item(pam, which, &value) != PAM_SUCCESS || value == nullptr) return {};
    return static_cast<const char*>(value);
}

// The one argument, for tests: run=FOLDER.
std::string run_folder(int argc, const char** argv) {
    for (int i = 0; i < argc; ++i)
        if (std::strncmp(argv[i], "run=", 4) == 0) return argv[i] + 4;
    return kRun;
}

// What the file says of this user; nothing where it can't be read, so that everybody is asked about.
struct Standing {
    PrincipalsFile file;
    std::optional<Governed> governed;
};

Standing standing_of(pam_handle_t* pam, const std::string& run, const std::string& user) {
    Standing standing;
    const passwd* const account = pam_modutil_getpwnam(pam, user.c_str());
    const auto uid = account != nullptr ? std::optional<std::uint32_t>(account->pw_uid) : std::nullopt;
    const std::string path = run + "/principals";
    struct stat info {};
    if (uid == 0U || (::stat(path.c_str(), &info) != 0 && errno == ENOENT)) {
        standing.governed = Governed::no; // nobody has said whom to ask about; the kernel programs decide
        return standing;
    }
    const auto text = read_file(path, kPrincipalsFileBytes);
    auto file = text ? read_principals(*text) : Result<PrincipalsFile>(tl::unexpected<Error>(text.error()));
    if (!file) {
        pam_syslog(pam, LOG_ERR, "%s", file.error().text().c_str());
        return standing;
    }
    standing.file = std::move(*file);
    standing.governed = governed(standing.file, user, uid);
    return standing;
}

GateRequest question(pam_handle_t* pam, Phase phase, const std::string& user) {
    GateRequest request;
    request.phase = phase;
    request.user = user;
    const auto cut = [&](int which) { return plain_line(item(pam, which), kNameBytes); };
    request.service = cut(PAM_SERVICE);
    request.rhost = cut(PAM_RHOST);
    request.ruser = cut(PAM_RUSER);
    request.tty = cut(PAM_TTY);
    // sshd has set it in the session phase (empty before). What is longer is not sent: no key is proven then.
    const char* const auth_info = pam_getenv(pam, "SSH_AUTH_INFO_0");
    if (auth_info != nullptr && std::strlen(auth_info) <= kAuthInfoBytes) request.auth_info = auth_info;
    return request;
}

// PAM_SILENT is not looked at: sudo always sets it, and a refusal whose reason nobody reads is of no use.
int refuse(pam_handle_t* pam, const std::string& user, const std::string& message) {
    pam_syslog(pam, LOG_NOTICE, "refused %s: %s", user.c_str(), message.c_str());
    if (!message.empty()) (void)pam_error(pam, "%s", message.c_str());
    return PAM_PERM_DENIED;
}

int unanswered(pam_handle_t* pam, const Standing& standing, const std::string& user, const Error& error) {
    const bool refused = standing.governed == Governed::enforced && !standing.file.admit_when_down;
    pam_syslog(pam, LOG_ERR, "no answer about %s (%s)", user.c_str(), error.text().c_str());
    if (!refused) return PAM_IGNORE;
    return refuse(pam, user,
                  "Support sessions for " + user +
                      " can't be checked on this host now (escortd does not answer), so none is admitted. "
                      "Ask the host's administrator.");
}

// pam_systemd, which comes later in the session stack, gives it to logind for the session's scope. Where it
// can't be kept the session has no such end: the kernel programs and the daemon end it all the same.
void limit_runtime(pam_handle_t* pam, std::uint32_t seconds) {
    char* const text = ::strdup(std::to_string(seconds).c_str());
    const auto forget = [](pam_handle_t*, void* data, int) { ::free(data); };
    if (text != nullptr && pam_set_data(pam, kRuntimeMax, text, forget) != PAM_SUCCESS) ::free(text);
}

int decide(pam_handle_t* pam, Phase phase, int argc, const char** argv) {
    const std::string user = item(pam, PAM_USER);
    if (user.empty() || user.size() > kNameBytes || plain_line(user, kNameBytes) != user) return PAM_IGNORE;
    const std::string run = run_folder(argc, argv);
    const Standing standing = standing_of(pam, run, user);
    if (standing.governed == Governed::no) return PAM_IGNORE;
    const void* waited = nullptr;
    const bool again = pam_get_data(pam, kUnanswered, &waited) == PAM_SUCCESS;
    const auto time = again ? std::min(kOnceMore, standing.file.timeout) : standing.file.timeout;
    const auto answer = ask(run + "/gate.sock", question(pam, phase, user), time);
    if (!answer) (void)pam_set_data(pam, kUnanswered, nullptr, nullptr);
    if (answer && answer->decision == Decision::admit && answer->runtime_max_s != 0)
        limit_runtime(pam, answer->runtime_max_s);
    // Only labels: many programs don't heed what pam_setcred says, and those that do tell nobody why. The
    // session phase refuses instead.
    if (phase == Phase::open) return PAM_IGNORE;
    if (!answer) return unanswered(pam, standing, user, answer.error());
    return answer->decision == Decision::refuse ? refuse(pam, user, answer->message) : PAM_IGNORE;
}

// No exception passes into C. Out of memory: as without the module; the kernel programs still decide.
int guarded(pam_handle_t* pam, Phase phase, int argc, const char** argv) noexcept {
    try {
        return decide(pam, phase, argc, argv);
    } catch (...) {
        return PAM_IGNORE;
    }
}

} // namespace

EXPORTED int pam_sm_authenticate(pam_handle_t*, int, int, const char**) {
    return PAM_IGNORE;
}

EXPORTED int pam_sm_setcred(pam_handle_t* pam, int flags, int argc, const char** argv) {
    if ((static_cast<unsigned>(flags) & PAM_ESTABLISH_CRED) == 0) return PAM_IGNORE;
    return guarded(pam, Phase::open, argc, argv);
}

EXPORTED int pam_sm_acct_mgmt(pam_handle_t* pam, int, int argc, const char** argv) {
    return guarded(pam, Phase::account, argc, argv);
}

EXPORTED int pam_sm_open_session(pam_handle_t* pam, int, int argc, const char** argv) {
    return guarded(pam, Phase::session, argc, argv);
}

EXPORTED int pam_sm_close_session(pam_handle_t*, int, int, const char**) {
    return PAM_IGNORE;
}
