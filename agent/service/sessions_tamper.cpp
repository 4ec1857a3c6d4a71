// Sessions that attack the agent, the kernel or other people's processes (threats.md, O9, O10, A1-A3). In
// tier `kill` the act is not refused: it is seen, and the session is over.
#include "service/sessions.h"

#include "base/file.h"
#include "enforce/sweep.h"
#include "output/records.h"

namespace escort {

namespace {

// Does the word stand among the process's arguments? false, too, where it has gone.
bool has_argument(std::uint32_t pid, std::string_view word) {
    const auto arguments = read_file("/proc/" + std::to_string(pid) + "/cmdline", std::size_t{64} << 10);
    return arguments && arguments->find(word) != std::string::npos;
}

bool is_root(const escort_task& task) {
    return (task.flags & ESCORT_TASK_GONE) == 0 && (task.uid == 0 || task.euid == 0);
}

bool enforced(const Session& session) {
    return session.stage == Stage::live && !session.policy.empty() && !session.verdict.observe &&
           !session.verdict.log_only;
}

struct Attack {
    const char* on;
    const char* deed;
};

Attack attack_of(std::uint32_t reason) {
    switch (reason) {
    case ESCORT_REASON_ATTACHED:
        return {"process", "attached to a process outside of the session"};
    case ESCORT_REASON_KERNEL_CODE:
        return {"kernel", "loaded a module, or a next kernel"};
    case ESCORT_REASON_OWN_MAP:
        return {"kernel", "opened a map of the agent's kernel programs"};
    default:
        return {"signal", "sent the agent a signal"};
    }
}

} // namespace

// The kernel has marked the session dead already, unless it is only watched.
void Sessions::tampered(const escort_event& event) {
    const bool known = table_.find(event.id) != nullptr;
    if (event.target != 0 && (event.flags & ESCORT_EVENT_REFUSED) != 0) attached_.add(event.target);
    const bool ends = end_attacker(event.id);
    const Attack attack = attack_of(event.reason);
    journal_.write(tamper(attack.on,
                          "process " + std::to_string(event.tgid) + " (" + event.comm + ") of session " +
                              session_name(event.id) + " " + attack.deed +
                              (ends ? ", and the session is ended" : ""),
                          "`escortctl session " + session_name(event.id) + "` says who it was"));
    if (!known && kernel_.session(event.id)) attackers_.insert(event.id);
}

void Sessions::tell_unheard_attack(std::uint64_t id) {
    journal_.write(tamper("kernel",
                          "session " + session_name(id) +
                              " is ended: the kernel programs have seen it attack, and what they told of it "
                              "was lost",
                          "`escortctl session " + session_name(id) + "` says who it was"));
}

void Sessions::end_unheard_attacker(std::uint64_t id) {
    if (end_attacker(id)) tell_unheard_attack(id);
}

bool Sessions::end_attacker(std::uint64_t id) {
    Session* session = table_.find(id);
    if (session == nullptr || !enforced(*session)) return false;
    deny(*session, Reason::restricted);
    return true;
}

std::vector<std::string> Sessions::end_stoppers(std::string_view word) {
    std::vector<std::string> names;
    const auto tasks = kernel_.labelled(0);
    if (!tasks) return names;
    for (const auto& task : *tasks) {
        const std::string comm = task.comm;
        if ((task.flags & ESCORT_TASK_GONE) != 0 || (comm != "systemctl" && comm != "busctl")) continue;
        if (!word.empty() && !has_argument(task.tgid, word)) continue;
        if (!end_attacker(task.id)) continue;
        names.push_back(session_name(task.id));
        (void)sweep(kernel_, task.id); // the loop may not turn again
    }
    return names;
}

std::vector<std::string> Sessions::end_suspects() {
    std::vector<std::string> names;
    const auto tasks = kernel_.labelled(0);
    if (!tasks) return names;
    std::set<std::uint64_t> suspects;
    for (const auto& task : *tasks) {
        const Session* session = table_.find(task.id);
        // sshd's own process of the connection is root and labelled too, and is the host's program.
        if (session != nullptr && is_root(task) && task.tgid != session->pid) suspects.insert(task.id);
    }
    for (const auto id : suspects)
        if (end_attacker(id)) names.push_back(session_name(id));
    return names;
}

} // namespace escort
