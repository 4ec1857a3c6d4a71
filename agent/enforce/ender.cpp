#include "enforce/ender.h"

#include "base/clock.h"

#include <algorithm>
#include <vector>

namespace escort {

namespace {

constexpr std::uint64_t kFirstPauseUs = 2'000;
// What still lives so long after its signal gets another: the kernel's pass says not of which it failed.
constexpr std::chrono::milliseconds kTrust{100};
constexpr std::uint64_t kLongestPauseUs = 1'000'000; // a task in uninterruptible sleep dies when it wakes

std::uint64_t ns(std::chrono::nanoseconds time) {
    return static_cast<std::uint64_t>(time.count());
}

} // namespace

Ender::Ender(const KernelState& state, sd_event* loop, Done done)
    : state_(state), loop_(loop), done_(std::move(done)) {}

Ender::~Ender() {
    sd_event_source_disable_unref(turn_);
    sd_event_source_disable_unref(timer_);
}

void Ender::begin(std::uint64_t id, std::chrono::microseconds after) {
    if (endings_.contains(id)) return;
    Ending& ending = endings_[id];
    ending.begun_ns = boot_ns();
    ending.first_pass_ns = ending.begun_ns + ns(after);
    // Its hooks refuse from now on; the kernel's own clock waits as long as we do. It can only fail when the
    // session has no verdict any more; the kernel refuses such a label anyway.
    (void)state_.set_verdict(id, {ending.first_pass_ns, ESCORT_VERDICT_DEAD | ESCORT_VERDICT_JUDGED, 0});
    pause_us_ = kFirstPauseUs;
    soon();
}

// Right after what the loop is at: a list that revokes 100 sessions has then marked them all. What isn't due
// yet is waited for from then on.
void Ender::soon() {
    if (turn_ == nullptr) {
        if (sd_event_add_defer(loop_, &turn_, on_turn, this) < 0) {
            arm();
            return;
        }
        sd_event_source_set_priority(turn_, SD_EVENT_PRIORITY_IMPORTANT);
    }
    if (sd_event_source_set_enabled(turn_, SD_EVENT_ONESHOT) < 0) arm();
}

// At the next pause's end, or when the first of those that are not due yet is.
void Ender::arm() {
    if (endings_.empty()) return;
    const std::uint64_t now = boot_ns();
    std::uint64_t wait_us = 0;
    for (const auto& [id, ending] : endings_) {
        const std::uint64_t due_us =
            ending.first_pass_ns > now ? (ending.first_pass_ns - now) / 1000 : pause_us_;
        wait_us = wait_us == 0 ? due_us : std::min(wait_us, due_us);
    }
    if (timer_ == nullptr) {
        if (sd_event_add_time_relative(loop_, &timer_, CLOCK_MONOTONIC, wait_us, 1, on_timer, this) < 0)
            return;
        sd_event_source_set_priority(timer_, SD_EVENT_PRIORITY_IMPORTANT);
        return;
    }
    sd_event_source_set_time_relative(timer_, wait_us);
    sd_event_source_set_enabled(timer_, SD_EVENT_ONESHOT);
}

int Ender::on_turn(sd_event_source*, void* self) {
    static_cast<Ender*>(self)->passes();
    return 0;
}

int Ender::on_timer(sd_event_source*, std::uint64_t, void* self) {
    static_cast<Ender*>(self)->passes();
    return 0;
}

void Ender::passes() {
    const std::uint64_t now = boot_ns();
    std::map<std::uint64_t, Sweep> due;
    for (const auto& [id, ending] : endings_)
        if (ending.first_pass_ns <= now)
            due[id] = {now - ending.first_pass_ns < ns(kTrust) ? &ending.signalled : nullptr,
                       ending.stubborn};
    std::vector<std::uint64_t> over;
    std::vector<Lingering> lingering;
    bool fresh = false;
    if (!due.empty()) {
        const Reserve::Released released = reserve_.release();
        if (const auto results = sweep_all(state_, due)) {
            for (const auto& [id, result] : *results) {
                Ending& ending = endings_[id];
                const std::size_t before = ending.processes.size();
                if (pass(id, ending, result)) over.push_back(id);
                ending.stubborn = (before > 0 && ending.processes.size() > before) ||
                                  result.signalled.size() < result.processes.size();
                fresh = fresh || ending.processes.size() > before;
                if (ending.told || result.alive == 0 || now - ending.first_pass_ns < ns(kPatience)) continue;
                ending.told = true;
                lingering.push_back({id, result.alive, static_cast<std::uint32_t>(ending.processes.size()),
                                     now - ending.begun_ns});
            }
        }
    }
    for (const auto id : over) {
        if (state_.session(id)) reconciled_.insert(id);
        finish(id, boot_ns());
    }
    for (const auto& each : lingering)
        if (on_lingering && endings_.contains(each.id)) on_lingering(each);
    if (!due.empty()) pause_us_ = fresh ? kFirstPauseUs : std::min(pause_us_ * 2, kLongestPauseUs);
    arm();
}

// Nothing found alive is not the end yet: the kernel's own word is on its way, or a task was forked between
// the iterator's look and its label.
bool Ender::pass(std::uint64_t id, Ending& ending, const SweepResult& result) {
    ending.processes.insert(result.processes.begin(), result.processes.end());
    ending.signalled.insert(result.signalled.begin(), result.signalled.end());
    if (result.alive > 0) {
        ending.empty_passes = 0;
        return false;
    }
    return !state_.session(id) || ++ending.empty_passes >= 3; // a lost exit is reconciled here
}

void Ender::last_task_gone(std::uint64_t id, std::uint64_t when_ns) {
    if (reconciled_.erase(id) == 0) finish(id, when_ns);
}

void Ender::finish(std::uint64_t id, std::uint64_t when_ns) {
    Ended ended{id, 0, 0};
    if (const auto found = endings_.find(id); found != endings_.end()) {
        ended.processes = static_cast<std::uint32_t>(found->second.processes.size());
        ended.elapsed_ns = when_ns > found->second.begun_ns ? when_ns - found->second.begun_ns : 0;
        endings_.erase(found);
    }
    done_(ended);
}

} // namespace escort
