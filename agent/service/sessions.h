// Sessions from their first word to their last task: heard of, judged, told to the kernel, held or ended,
// written to the journal. Decides nothing by itself: the verdict engine does.
//
//   sessions.cpp          events
//   sessions_judge.cpp    judging, and the kernel's verdict
//   sessions_gate.cpp     sessions that the PAM gate clears
//   sessions_end.cpp      ends, by the verdict or by hand
//   sessions_hold.cpp     freezing, and what is said on terminals
//   sessions_found.cpp    sessions that no event told of
//   sessions_tamper.cpp   those that attack the agent
//   sessions_journal.cpp  records
#pragma once

#include "approvals/store.h"
#include "core/session.h"
#include "enforce/attached.h"
#include "enforce/ender.h"
#include "enforce/freezer.h"
#include "kernel/state.h"
#include "output/facts.h"
#include "output/journal.h"
#include "service/rulebook.h"
#include "service/session_state.h"
#include "service/timekeeper.h"

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace escort {

// A person's act on a session.
struct ByHand {
    std::string operated_by; // who
    std::string note;        // their reason
};

// A login that the gate asks about, as far as it is known.
struct Login {
    Governed governed;
    std::uint32_t uid = 0;
    Entry entry = Entry::other;
    Proven proven;
    bool key_later = false; // the key is not known yet: what is bound to it is proven later
    std::uint32_t pid = 0;
    int pidfd = -1; // borrowed
    std::string comm, exe, tty, cgroup;
};

class Sessions {
  public:
    using Done = std::function<void(const Session&, const Ended&)>;

    // All must outlive this.
    Sessions(KernelState& kernel, Journal& journal, const Rulebook& rulebook, Timekeeper& time,
             sd_event* loop);

    // A record of the lifecycle ring; within all_at_once().
    void on_event(const escort_event& event);

    // Runs `act`, within which the sessions that use an approval are counted once, and on_change waits till
    // its end: what is told of thousands of sessions must not count, or save, all of them for each.
    void all_at_once(const std::function<void()>& act);

    // Sessions that the kernel knows and we don't (a restart, a lost event), and those that are gone.
    void reconcile();
    // Has reconcile() left one to the next look, whose unit it did not find?
    [[nodiscard]] bool looks_again() const { return !unplaced_now_.empty(); }
    // Labels and judges the principals' tasks that were there before. Returns uids that were never looked up.
    [[nodiscard]] std::set<std::uint32_t> adopt();
    // Judges every live session again: the policy, the approvals, an escort or the time has changed.
    void rejudge();

    // --- the gate ---

    // The verdict that such a login would get now; changes nothing.
    [[nodiscard]] Verdict preview(const Login& login) const;
    // Opens a session that the verdict approves (or watches) and labels the login process with it, before its
    // first instruction as the account. Error: the kernel could not record it; nothing is left behind.
    [[nodiscard]] Status admit(const Login& login, Verdict verdict);
    // What the login has proven since: the session is judged by it, once more from the start. The new
    // verdict; a session that it denies is ending.
    [[nodiscard]] Verdict prove(std::uint64_t id, const Login& login);
    // A refused login: written to the journal under a number of its own, by which a person can ask about it.
    [[nodiscard]] std::string refuse(const Login& login, Verdict verdict);
    // The live session that the process behind the pidfd is in; null: none.
    [[nodiscard]] const Session* of_process(int pidfd);
    // Has the account a live approved session, so that it may have its user manager?
    [[nodiscard]] const Session* approved_session_of(const std::string& account) const;
    [[nodiscard]] bool has_user_manager(const std::string& account) const;
    // Opens the account's user manager for the login process (PAM service systemd-user).
    [[nodiscard]] Status admit_user_manager(const Login& login);

    // --- by hand ---

    // Ends a session. `done` is called when nothing of it is left. false: no such live session.
    [[nodiscard]] bool kill(std::uint64_t id, ByHand by, Done done);
    // Ends the session that a session-revoked event names, where its approval is of one of the issuers that
    // the event may speak for. `by`: who signed it.
    void revoke(const EndedSession& ended, const std::string& by);
    // Ends every enforced session that has a task of root now: one of them has done what only root can, and
    // nothing says which. Their names.
    std::vector<std::string> end_suspects();
    // Ends this one for an attack. false: it is only watched, or has ended.
    bool end_attacker(std::uint64_t id);
    // Ends one that the kernel has marked dead for an attack, where the word of it was lost.
    void end_unheard_attacker(std::uint64_t id);
    // Ends every enforced session that is just now asking PID 1 for something (systemctl waits for its
    // answer), with `word` among its arguments: for the moment at which the agent is told to stop, or masked.
    // Their names; they are dead when this returns.
    std::vector<std::string> end_stoppers(std::string_view word = "");
    // `done` is called when nothing of it runs any more. false: no such live session.
    [[nodiscard]] bool freeze(std::uint64_t id, const ByHand& by, Freezer::Done done);
    [[nodiscard]] bool thaw(std::uint64_t id, const ByHand& by);
    // Calls `done` for each of these sessions when it has ended.
    void when_ended(std::uint64_t id, Done done) { waiting_.emplace(id, std::move(done)); }

    // --- facts that come later ---

    // logind knows the session that this audit session or leader is of.
    void found_logind(std::uint32_t leader, std::optional<std::uint32_t> audit_session, const std::string& id,
                      const std::string& scope);
    // A terminal that a session has got since it was opened, as sshd's have: of those where none is known.
    void find_terminals();
    // Looks how long the sessions whose policy has an idle time-out have been idle, and warns those that end
    // soon.
    void look_at_terminals();
    // Lets go on what a session's debugger has stopped outside of it. Once a second.
    void wake_attached() { attached_.wake(); }

    // When the next live session must be judged again, CLOCK_BOOTTIME ns; kNever: none.
    [[nodiscard]] std::uint64_t next_recheck() const;
    // Live sessions that are ending now.
    [[nodiscard]] std::set<std::uint64_t> ending() const;

    // Does the kernel hold as many sessions as it can?
    [[nodiscard]] bool full() const { return table_.live().size() >= ESCORT_MAX_SESSIONS; }
    [[nodiscard]] SessionTable& table() { return table_; }
    [[nodiscard]] const SessionTable& table() const { return table_; }
    // Live processes of each session that has any.
    [[nodiscard]] std::map<std::uint64_t, std::size_t> process_counts() const;
    // Is the process behind the pidfd in any session?
    [[nodiscard]] bool labelled(int pidfd) const;
    // What a session is judged by, now.
    [[nodiscard]] SessionFacts facts_of(const Session& session) const;

    // Called when what must outlive a restart has changed (kept(), next_number of the kernel).
    std::function<void()> on_change;
    // The same of a session that has ended, which may wait until all that end with it are heard of.
    std::function<void()> on_ended;
    // Called when nothing of a session is left, while the kernel still knows its counts.
    std::function<void(std::uint64_t id)> before_forgotten;
    // By session name.
    [[nodiscard]] std::map<std::string, KeptSession> kept() const;
    void restore(std::map<std::string, KeptSession> kept) { restored_ = std::move(kept); }

  private:
    void opened(const escort_event& event);
    void entered(const escort_event& event);
    void exempted(const escort_event& event);
    void tampered(const escort_event& event);
    Session describe(const escort_event& event, const Governed& governed) const;
    Session describe(std::uint64_t id, const escort_session& facts, const std::optional<Governed>& governed,
                     const std::string& unit) const;
    [[nodiscard]] std::optional<Governed> governed_of(const escort_event& event) const;
    [[nodiscard]] std::optional<Governed> governed_of(const Session& session) const;
    // Of its account or unit, first, and of the accounts that it has turned into.
    [[nodiscard]] std::vector<const Policy*> policies_of(const Session& session) const;
    void found(std::uint64_t id, const escort_session& facts, const std::vector<const escort_task*>& tasks);
    [[nodiscard]] std::string listed_unit(const std::vector<const escort_task*>& tasks) const;
    bool find_entered(Session& session, const std::vector<const escort_task*>& tasks);
    [[nodiscard]] bool is_over(std::uint64_t id, bool counted);
    void mark_attacker(Session& session);
    void tell_unheard_attack(std::uint64_t id);
    void finish_unseen(Session& session);
    void ended_unseen(std::uint64_t id, const escort_session& facts, const KeptSession& kept);
    void judge(Session& session);
    void judge_once(Session& session);
    void note_change();
    void count_use(const std::optional<ApprovalId>& approval, int by);
    void judge_user_manager(Session& session);
    // The verdict, or the one that the policy of an account gives which the session has turned into.
    [[nodiscard]] Verdict with_entered(const Session& session, Verdict verdict) const;
    void apply(Session& session, Verdict verdict);
    void hold(Session& session, Freezer::Done done = {});
    void look_how_idle(Session& session);
    void warn(Session& session);
    void deny(Session& session, Reason reason);
    void find_source(Session& session);
    // On every terminal of the session; true: one took it.
    bool say(const Session& session, const std::string& line);
    // The terminals of all sessions, by session; looked up once in a turn of the loop, however many end in
    // it.
    using Terminals = std::map<std::uint64_t, std::set<std::string>>;
    const Terminals& terminals();
    void release(Session& session);
    void tell_kernel(Session& session);
    // `lead`: how long what tells the person about it has, before it is killed.
    void end(Session& session, std::chrono::microseconds lead = {});
    void end_user_managers(const Session& session);
    void rejudge_user_managers(const std::string& account);
    [[nodiscard]] std::vector<std::uint64_t> live_user_managers(const std::string& account) const;
    void finish(const Ended& ended);
    [[nodiscard]] std::vector<Done> take_waiting(std::uint64_t id);
    void lingers(const Lingering& lingering);
    void on_frozen(const Frozen& frozen);
    [[nodiscard]] Session describe(const Login& login) const;
    [[nodiscard]] Result<Session*> label(const Login& login, bool user_manager);
    void write_verdict(const Session& session, std::uint64_t latency_ns);
    [[nodiscard]] SessionRecord hold_record_of(const Session& session) const;
    [[nodiscard]] SessionRecord record_of(const Session& session) const;

    KernelState& kernel_;
    Journal& journal_;
    const Rulebook& rulebook_;
    Timekeeper& time_;
    Ender ender_;
    Freezer freezer_;
    Attached attached_;
    sd_event* loop_;
    Terminals terminals_;
    std::uint64_t terminals_turn_ = 0; // sd_event_get_iteration(3)
    SessionTable table_;
    std::multimap<std::uint64_t, Done> waiting_;
    std::map<std::uint64_t, ByHand> by_hand_;
    std::map<std::uint64_t, ByHand> held_by_hand_;
    std::map<std::string, KeptSession> restored_;
    std::set<std::pair<std::string, std::uint32_t>> exempt_told_; // unit, uid: told once
    std::set<std::uint32_t> attributed_told_;                     // pids
    std::optional<Rulebook::InUse> in_use_;          // of all live sessions; only within all_at_once()
    bool changed_ = false;                           // meanwhile
    std::set<std::string> managers_due_;             // accounts of sessions that ended meanwhile
    std::set<std::uint64_t> gone_now_, gone_before_; // no task found, by this reconcile() and the one before
    std::set<std::uint64_t> unplaced_now_, unplaced_before_; // a unit's, and it isn't known which's
    std::set<std::uint64_t> attackers_;                      // heard of before they were found: a restart
};

} // namespace escort
