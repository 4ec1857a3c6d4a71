// `document_result`: an answer that waits for a document to be judged, and for the sessions it ended to be
// dead.
#include "service/requests.h"

#include <algorithm>
#include <set>

namespace escort {

namespace {

constexpr std::uint64_t kPatienceUs = 5'000'000;

// One answer that collects the sessions as they end; sent by the last of them.
struct Collected {
    nlohmann::json answer;
    std::uint64_t processes = 0;
    std::uint64_t elapsed_ns = 0;
    std::size_t sessions = 0;
    control::Reply reply;

    explicit Collected(control::Reply to) : reply(std::move(to)) {}
    ~Collected() {
        answer["ended"] = {
            {"sessions", sessions}, {"processes", processes}, {"elapsed_us", elapsed_ns / 1000}};
        reply.ok(answer);
    }
    Collected(const Collected&) = delete;
    Collected& operator=(const Collected&) = delete;
};

const char* to_string(Disposition disposition) {
    switch (disposition) {
    case Disposition::accepted:
        return "accepted";
    case Disposition::ignored:
        return "ignored";
    case Disposition::refused:
        break;
    }
    return "refused";
}

} // namespace

void DocumentWaiters::answer(const Outcome& outcome, const control::Reply& reply) {
    const auto collected = std::make_shared<Collected>(reply);
    collected->answer = {
        {"outcome", to_string(outcome.disposition)}, {"word", outcome.word}, {"text", outcome.text}};
    if (!agent_.sessions) return;
    for (const auto id : agent_.sessions->ending())
        agent_.sessions->when_ended(id, [collected](const Session& session, const Ended& ended) {
            collected->sessions++;
            collected->processes += session.killed;
            collected->elapsed_ns = std::max(collected->elapsed_ns, ended.elapsed_ns);
        });
}

void DocumentWaiters::wait(const std::string& sha256, const control::Reply& reply) {
    if (const Outcome* outcome = agent_.documents->outcome(sha256)) {
        answer(*outcome, reply);
        return;
    }
    Waiting& waiting = waiting_[sha256];
    waiting.owner = this;
    waiting.sha256 = sha256;
    waiting.replies.push_back(reply);
    if (waiting.timer) return;
    sd_event_source* timer = nullptr;
    if (sd_event_add_time_relative(loop_, &timer, CLOCK_MONOTONIC, kPatienceUs, 100'000, on_timeout,
                                   &waiting) >= 0)
        waiting.timer.reset(timer);
}

int DocumentWaiters::on_timeout(sd_event_source*, std::uint64_t, void* data) {
    auto& waiting = *static_cast<Waiting*>(data);
    for (const auto& reply : waiting.replies)
        reply.fail(control::Exit::not_so, {"document", "was not judged within 5 s",
                                           "is it in the spool? `journalctl -t escortd` may tell"});
    auto& all = waiting.owner->waiting_;
    all.erase(all.find(waiting.sha256));
    return 0;
}

void DocumentWaiters::judged(const Outcome& outcome) {
    const auto waiting = waiting_.extract(outcome.document.sha256);
    if (waiting.empty()) return;
    for (const auto& reply : waiting.mapped().replies)
        answer(outcome, reply);
}

} // namespace escort
