#include "enforce/ender.h"

#include "base/clock.h"

#include <algorithm>
#include <vector>

namespace escort {

namespace {
constexpr std::uint64_t kFirstPauseUs = 2'000;
constexpr std::uint64_t kLongestPauseUs = 200'000; // a task in uninterruptible sleep dies when it wakes
} // namespace

Ender::Ender(const KernelState& state, sd_event* loop, Done done)
    : state_(state), loop_(loop), done_(std::move(done)) {}

Ender::~Ender() {
    sd_event_source_disable_unref(timer_);
}

void Ender::begin(std::uint64_t id, std::chrono::microseconds after) {
    if (endings_.contains(id)) return;
    // It can only fail when the session has no verdict any more; the kernel refuses such a label anyway.
    (void)state_.set_verdict(id, {0, ESCORT_VERDICT_DEAD | ESCORT_VERDICT_JUDGED, 0});
    Ending& ending = endings_[id];
    ending.begun_ns = boot_ns();
    ending.first_pass_ns = ending.begun_ns + static_cast<std::uint64_t>(after.count()) * 1000;
    if (after.count() == 0 && pass(id, ending)) {
        finish(id, boot_ns());
        return;
    }
    pause_us_ = kFirstPauseUs;
    arm();
}

// Nothing found alive is not the end while the kernel still counts a task: one may have been forked between
// the iterator's look and its label.
bool Ender::pass(std::uint64_t id, Ending& ending) {
    const auto result = sweep(state_, id);
    if (!result) return false; // again at the next timer
    ending.processes.insert(result->processes.begin(), result->processes.end());
    if (result->alive > 0) return false;
    const auto facts = state_.session(id);
    return !facts || facts->live <= 0 || ++ending.empty_passes >= 3; // a lost exit is reconciled here
}

void Ender::arm() {
    if (endings_.empty()) return;
    if (timer_ == nullptr) {
        if (sd_event_add_time_relative(loop_, &timer_, CLOCK_MONOTONIC, pause_us_, 1, on_timer, this) < 0)
            return;
        sd_event_source_set_priority(timer_, SD_EVENT_PRIORITY_IMPORTANT);
        return;
    }
    sd_event_source_set_time_relative(timer_, pause_us_);
    sd_event_source_set_enabled(timer_, SD_EVENT_ONESHOT);
}

int Ender::on_timer(sd_event_source*, std::uint64_t, void* self) {
    auto& ender = *static_cast<Ender*>(self);
    std::vector<std::uint64_t> over;
    const std::uint64_t now = boot_ns();
    bool waiting = false;
    for (auto& [id, ending] : ender.endings_) {
        if (ending.first_pass_ns > now)
            waiting = true;
        else if (ender.pass(id, ending))
            over.push_back(id);
    }
    for (const auto id : over)
        ender.finish(id, boot_ns());
    ender.pause_us_ = waiting ? kFirstPauseUs : std::min(ender.pause_us_ * 2, kLongestPauseUs);
    ender.arm();
    return 0;
}

void Ender::last_task_gone(std::uint64_t id, std::uint64_t when_ns) {
    finish(id, when_ns);
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
