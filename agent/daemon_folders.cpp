// Folders that are watched, and what follows when a support session has changed something in them.
#include "daemon.h"

#include "output/records.h"

#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace escort {

namespace {

// Our unit is a link to /dev/null now (systemd.unit(5)).
bool masks_our_unit(const FolderChange& change) {
    std::error_code error;
    return change.file == "escortd.service" && change.folder.ends_with("/systemd/system") &&
           std::filesystem::read_symlink(change.folder + "/" + change.file, error) == "/dev/null";
}

} // namespace

// A support session that changes one of our own folders attacks the agent. (Not the spool: what is dropped
// there is judged by its signature alone.) Then those that programs outside a session take orders from.
void Daemon::watch_folders() {
    const auto& paths = agent_.settings.paths;
    (void)::mkdir(kept_policies().c_str(), 0700); // made later it would be watched by nobody
    for (const auto& folder : {paths.policies, paths.trust, paths.breakglass, paths.state,
                               paths.state + "/documents", kept_policies(), paths.outbox}) {
        // A folder of the state in another's place would be watched by nobody.
        const auto watched =
            folder == paths.state ? FolderWatch::Watched::entries : FolderWatch::Watched::files;
        auto watch = FolderWatch::open(loop_.get(), folder, watched,
                                       [this](const FolderChange& change) { changed_by(change); });
        if (watch)
            watches_.push_back(std::move(*watch));
        else if (::access(folder.c_str(), F_OK) == 0)
            agent_.health->degrade("folders", watch.error().text(),
                                   "changes of it by a support session go unseen");
    }
    for (const auto& folder : guarded_folders()) {
        auto watch = FolderWatch::open(
            loop_.get(), folder.path, FolderWatch::Watched::entries,
            [this, &folder](const FolderChange& change) { left_behind_by(folder, change); });
        if (watch)
            watches_.push_back(std::move(*watch));
        else if (::access(folder.path, F_OK) == 0)
            agent_.health->degrade("guarded_files", watch.error().text(),
                                   "what a support session leaves there goes unseen");
    }
}

// The session of whoever made the change, gone or not.
std::optional<std::uint64_t> Daemon::session_of(const FolderChange& change) const {
    if (!agent_.kernel || change.pid <= 0) return std::nullopt;
    if (change.pidfd.valid()) {
        if (const auto id = agent_.kernel->label_of(change.pidfd.get())) return id;
        pollfd exited{change.pidfd.get(), POLLIN, 0};
        if (::poll(&exited, 1, 0) == 0) return std::nullopt; // it lives, and is of none
    }
    return agent_.kernel->label_of_exited(static_cast<std::uint32_t>(change.pid));
}

// A job of a governed account's own, in a file of its name; or what crontab(1) writes first: cron runs the
// files whose names are accounts'.
bool Daemon::is_own_job(const FolderChange& change) const {
    struct stat info {};
    if (change.file.starts_with("tmp.")) return true;
    if (::lstat((change.folder + "/" + change.file).c_str(), &info) != 0 || S_ISDIR(info.st_mode))
        return true;
    const auto governed = agent_.rulebook->governed(info.st_uid);
    return governed && governed->account == change.file;
}

std::string Daemon::kept_policies() const {
    return agent_.settings.paths.state + "/policies";
}

// `systemctl mask`: the link is made by PID 1, whoever asked.
void Daemon::told_of_mask(const FolderChange& change) {
    const auto ended = agent_.sessions ? agent_.sessions->end_stoppers("mask") : std::vector<std::string>();
    agent_.journal->write(tamper(
        "agent",
        fmt::format("{} is masked{}", change.file,
                    ended.empty() ? "; no support session was seen to ask for it"
                                  : fmt::format("; ended for it, as support sessions that asked for it: {}",
                                                fmt::join(ended, ", "))),
        "`systemctl unmask " + change.file + "`; until then it does not start again once it has stopped"));
}

void Daemon::left_behind_by(const GuardedFolder& folder, const FolderChange& change) {
    if (change.lost) {
        const std::string why = change.folder + ": more changes than could be read";
        if (!folder.governed_allowed) return told_of_tampering("host", why);
        // Anybody may change much there: nobody is ended for it.
        agent_.journal->write(tamper("host", why, "look at the files there; who changed them is not known"));
        return;
    }
    if (!folder.guards(change.file)) return;
    const auto id = session_of(change);
    if (!id) {
        if (masks_our_unit(change)) told_of_mask(change);
        return; // else the host's own business
    }
    if (folder.governed_allowed && is_own_job(change)) return;
    const std::string file = change.folder + "/" + change.file;
    const bool ended = agent_.sessions->end_attacker(*id);
    agent_.journal->write(tamper("host",
                                 file + " was changed by session " + session_name(*id) +
                                     ", and programs outside of it act on what it says" +
                                     (ended ? "; the session is ended for it" : ""),
                                 "look at the file, and remove what the session has left there"));
}

void Daemon::changed_by(const FolderChange& change) {
    const bool of_state = change.folder.starts_with(agent_.settings.paths.state);
    if (of_state) state_touched_ = true;
    if (change.lost) return told_of_tampering("files", change.folder + ": more changes than could be read");
    const std::string file = change.folder + "/" + change.file;
    const auto id = session_of(change);
    if (id) {
        const bool ended = agent_.sessions->end_attacker(*id);
        agent_.journal->write(tamper("files",
                                     file + " was changed by session " + session_name(*id) +
                                         (ended ? ", which is ended for it" : ""),
                                     "put the file right, then `escortctl reload`"));
        return;
    }
    // Policies and keys are changed by configuration management, the state by nobody but us.
    if (!of_state) return;
    const std::string who = "process " + std::to_string(change.pid);
    if (change.pidfd.valid() || !agent_.sessions)
        agent_.journal->write(
            tamper("state", file + " was changed by " + who + ", which is of no support session",
                   "find out who did it; what is in memory is in force, and is written again"));
    else
        told_of_tampering("state", file + " was changed by " + who + ", which has gone");
}

// Once for all changes of a second: each write waits for the disk.
void Daemon::write_state_again() {
    if (!std::exchange(state_touched_, false)) return;
    save_sessions();
    (void)agent_.store->save_time(agent_.time->now());
    state_touched_ = !agent_.policies->keep_again();
    for (const auto& watch : watches_)
        if (watch->folder() == kept_policies()) watch->mark_again(); // it may be a new one by now
}

} // namespace escort
