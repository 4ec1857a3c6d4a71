#include "service/preview.h"

#include "process/facts.h"

#include <cstdlib>
#include <filesystem>
#include <map>

namespace escort {

namespace {

Fate fate_of(const Session& session, const Verdict& verdict, std::size_t processes) {
    return {session_name(session.id), session.account, session.verdict.engineer, to_string(verdict.reason),
            processes};
}

// Processes of accounts that would be governed, and are in no session: each account once.
std::vector<Fate> newly_governed(const Rulebook& next, const Sessions* sessions, const Moment& now) {
    std::map<std::uint32_t, std::size_t> by_uid;
    std::error_code error;
    for (std::filesystem::directory_iterator it("/proc", error), end; !error && it != end;
         it.increment(error)) {
        const std::string name = it->path().filename().string();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        const auto process = Process::open(static_cast<pid_t>(std::strtol(name.c_str(), nullptr, 10)));
        const auto facts = process ? process->facts() : std::nullopt;
        if (!facts || !next.governed(facts->uid)) continue;
        if (sessions == nullptr || !sessions->labelled(process->pidfd())) ++by_uid[facts->uid];
    }
    std::vector<Fate> found;
    for (const auto& [uid, processes] : by_uid) {
        const auto governed = next.governed(uid);
        SessionFacts facts;
        facts.account = governed->account;
        facts.entry = Entry::existing;
        facts.opened_boot_ns = now.boot_ns;
        const Verdict verdict = next.judge(*governed, facts, {}, now);
        if (verdict.ends())
            found.push_back({"", governed->account, "", to_string(verdict.reason), processes});
    }
    return found;
}

} // namespace

Fates fates(const Rulebook& next, const Sessions* sessions, const Moment& now) {
    Fates all;
    if (sessions != nullptr) {
        const auto counts = sessions->process_counts();
        for (const auto& [id, session] : sessions->table().live()) {
            if (session.stage != Stage::live || session.user_manager) continue;
            const auto count = counts.find(id);
            const std::size_t processes = count == counts.end() ? 0 : count->second;
            const auto governed =
                session.unit.empty() ? next.governed(session.uid) : next.governed_unit(session.unit);
            if (!governed) {
                if (!session.policy.empty())
                    all.would_go.push_back(fate_of(session, session.verdict, processes));
                continue;
            }
            // A live session is judged by its own approval alone: who else uses it has been asked at its
            // start.
            const Verdict verdict = next.judge(*governed, sessions->facts_of(session), {}, now);
            if (verdict.ends()) all.would_end.push_back(fate_of(session, verdict, processes));
            if (verdict.freezes() && !session.frozen)
                all.would_freeze.push_back(fate_of(session, verdict, processes));
        }
    }
    for (auto& fate : newly_governed(next, sessions, now))
        all.would_end.push_back(std::move(fate));
    return all;
}

} // namespace escort
