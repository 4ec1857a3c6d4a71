#include "service/activity.h"

#include "base/clock.h"
#include "output/records.h"

#include <bpf/libbpf.h>
#include <cerrno>
#include <chrono>
#include <utility>

namespace escort {

namespace {

constexpr std::uint64_t kTellNs = 60 * kNsPerSecond;
constexpr std::size_t kWaiting = 4096; // records; more are written with the session's id alone

// Microseconds since the epoch of a moment on CLOCK_BOOTTIME.
std::int64_t wall_us(std::uint64_t then_boot_ns) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const std::uint64_t boot = boot_ns();
    const auto ago = static_cast<std::int64_t>(boot > then_boot_ns ? (boot - then_boot_ns) / 1000 : 0);
    return std::chrono::duration_cast<std::chrono::microseconds>(now).count() - ago;
}

// Who it is and under what approval: what a reader asks of each line. The rest stands in the session's own
// records.
SessionRecord brief(const Session& session) {
    SessionRecord record;
    record.id = session_name(session.id);
    record.account = session.account;
    record.entry = to_string(session.entry);
    record.source = session.proven.source.value_or("");
    record.tty = session.tty;
    record.logind_session = session.logind_session;
    record.audit_session = session.audit_session;
    record.policy = session.policy;
    if (!session.verdict.approval) return record;
    record.approval = session.verdict.approval->jti;
    record.issuer = session.verdict.approval->issuer;
    record.engineer = session.verdict.engineer;
    record.escort = session.verdict.escort;
    record.ticket = session.verdict.ticket;
    return record;
}

ProgramRecord program_of(const ExecRecord& exec) {
    ProgramRecord program;
    program.path = exec.path;
    program.cwd = exec.cwd;
    program.script = exec.script;
    program.arguments = exec.arguments;
    program.path_cut = exec.path_cut;
    program.cwd_cut = exec.cwd_cut;
    program.script_cut = exec.script_cut;
    program.arguments_cut = exec.arguments_cut;
    program.nameless = exec.nameless;
    program.rose = exec.rose;
    program.uid = exec.uid;
    program.euid = exec.euid;
    program.pid = static_cast<pid_t>(exec.tgid);
    program.parent = static_cast<pid_t>(exec.parent);
    program.at = wall_us(exec.time_ns);
    return program;
}

} // namespace

Activity::Activity(const KernelState& kernel, Journal& journal, SessionTable& table, const Rulebook& rulebook)
    : kernel_(kernel), journal_(journal), table_(table), rulebook_(rulebook) {}

void Activity::Free::operator()(ring_buffer* ring) const {
    ring_buffer__free(ring);
}

Status Activity::attach(int ring) {
    ring_.reset(ring_buffer__new(ring, on_record, this, nullptr));
    if (!ring_) return fail_errno("activity ring", "open", errno);
    return {};
}

int Activity::fd() const {
    return ring_ ? ring_buffer__epoll_fd(ring_.get()) : -1;
}

int Activity::on_record(void* self, void* data, std::size_t size) {
    auto& activity = *static_cast<Activity*>(self);
    activity.take({static_cast<const std::byte*>(data), size});
    return activity.journal_.waiting() ? -EAGAIN : 0; // this one is taken; the next stays where it is
}

void Activity::take(std::span<const std::byte> bytes) {
    auto record = decode_exec(bytes);
    if (!record)
        unreadable_++;
    else if (table_.find(record->id) == nullptr && !over_early_.contains(record->id) &&
             waiting_.size() < kWaiting)
        waiting_.push_back(std::move(*record));
    else
        write(*record);
}

bool Activity::drain() {
    auto known_by_now = waiting_.begin();
    for (; known_by_now != waiting_.end() && !journal_.waiting(); ++known_by_now)
        write(*known_by_now);
    waiting_.erase(waiting_.begin(), known_by_now);
    if (journal_.waiting() || (ring_ && ring_buffer__consume(ring_.get()) == -EAGAIN)) return false;
    over_early_.clear();
    return true;
}

void Activity::write(const ExecRecord& record) {
    const Session* session = table_.find(record.id);
    SessionRecord whose;
    whose.id = session_name(record.id);
    if (session != nullptr) {
        if (session->policy.empty()) return; // released: nobody's business any more
        // Recorded before the kernel was told that nothing is.
        const auto governed =
            session->unit.empty() ? rulebook_.governed(session->uid) : rulebook_.governed_unit(session->unit);
        if (governed && governed->policy->record.exec_per_minute.value == 0) return;
        whose = brief(*session);
    } else if (const auto early = over_early_.find(record.id); early != over_early_.end()) {
        whose = early->second;
    }
    journal_.write(session_exec(whose, program_of(record)));
}

bool Activity::is_due(const Told& told, std::uint64_t now_boot_ns) const {
    return told.boot_ns == 0 || now_boot_ns - told.boot_ns >= kTellNs;
}

void Activity::tick(std::uint64_t now_boot_ns) {
    drain();
    const Counters counters = kernel_.counters();
    const std::uint64_t full = counters[ESCORT_COUNT_ACTIVITY_FULL] + unreadable_;
    if (full > full_.count && is_due(full_, now_boot_ns)) {
        journal_.write(events_dropped(full - full_.count, DropPlace::activity));
        full_ = {full, now_boot_ns};
    }
    const std::uint64_t over = counters[ESCORT_COUNT_EXEC_OVER];
    if (over == over_seen_ && !over_untold_) return;
    over_seen_ = over;
    over_untold_ = false;
    for (const auto& [id, session] : table_.live())
        if (const auto facts = kernel_.session(id)) tell_over(id, facts->execs_over, now_boot_ns);
}

void Activity::tell_over(std::uint64_t id, std::uint64_t over, std::uint64_t now_boot_ns) {
    Told& told = over_[id];
    if (over <= told.count) return;
    if (!is_due(told, now_boot_ns)) {
        over_untold_ = true;
        return;
    }
    const Session* session = table_.find(id);
    SessionRecord whose;
    whose.id = session_name(id);
    if (session != nullptr) whose = brief(*session);
    journal_.write(execs_dropped(whose, over - told.count));
    told = {over, now_boot_ns};
}

void Activity::ended(std::uint64_t id) {
    const Session* session = table_.find(id);
    if (!drain() && session != nullptr && !session->policy.empty() && over_early_.size() < kWaiting)
        over_early_.emplace(id, brief(*session));
    if (const auto facts = kernel_.session(id); facts && facts->execs_over > 0) {
        over_[id].boot_ns = 0; // its last word, however soon after the one before
        tell_over(id, facts->execs_over, boot_ns());
    }
    over_.erase(id);
}

} // namespace escort
